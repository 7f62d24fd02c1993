"""Entries come in their order whether or not they fit into a block."""

from __future__ import annotations

import random

import pytest

from vaportrail.record.reading import in_order as module
from vaportrail.record.reading.in_order import in_order


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 250])
def test_entries_come_in_order_in_blocks_or_not(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 10)
    numbers = list(range(count))
    random.Random(count).shuffle(numbers)
    entries = [((number // 3, f"writer-{number}", number), ["text\n\u2028", None, 0.5]) for number in numbers]

    assert list(in_order(iter(entries))) == sorted(entries)


def test_long_texts_make_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 100)
    kept: list[int] = []
    keep = module._keep
    monkeypatch.setattr(module, "_keep", lambda block, file: kept.append(len(block)) or keep(block, file))

    found = list(in_order(((5 - at,), ["x" * 60]) for at in range(5)))

    assert [key for key, _ in found] == [(1,), (2,), (3,), (4,), (5,)]
    assert kept == [2, 2]
