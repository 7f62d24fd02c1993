"""Attempts whose reports can never come, as Ray is gone from the process, end all the same."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vaportrail.execution.ray_reports import Reports


def test_each_is_told_that_ray_is_gone_those_that_come_later_too() -> None:
    told: queue.SimpleQueue[tuple[str, Callable[[], Any]]] = queue.SimpleQueue()
    reports = Reports(SimpleNamespace(is_initialized=lambda: False))
    for number in range(20):
        name = f"t-{number}"
        reports.expect(name, lambda get, name=name: told.put((name, get)))
        if number % 5 == 4:
            ends = [told.get(timeout=60) for _ in range(5)]
            assert {name for name, _ in ends} == {f"t-{each}" for each in range(number - 4, number + 1)}
            for _, get in ends:
                with pytest.raises(RuntimeError, match=r"is gone from this process: .* leave that out"):
                    get()
    reports.close()


def test_of_many_that_end_at_once_each_is_heard_once_and_few_looks_are_taken() -> None:
    looks: list[int] = []
    ended: set[str] = set()

    def wait(references: list[str], *, num_returns: int = 1, timeout: float, fetch_local: bool) -> Any:
        looks.append(len(references))
        while not ended:
            time.sleep(0.001)
        ready = [each for each in references if each in ended][:num_returns]
        return ready, [each for each in references if each not in ready]

    told: queue.SimpleQueue[tuple[str, Callable[[], Any]]] = queue.SimpleQueue()
    names = [f"t-{number}" for number in range(200)]
    reports = Reports(SimpleNamespace(is_initialized=lambda: True, wait=wait, get=list))
    for name in names:
        reports.expect(name, lambda get, name=name: told.put((name, get)))
    ended.update(names)
    heard = [told.get(timeout=60) for _ in names]
    reports.close()

    assert [(name, get()) for name, get in heard] == [(name, name) for name, _ in heard]
    assert sorted(name for name, _ in heard) == sorted(names)
    assert told.empty()
    assert len(looks) < len(names) / 4
