"""Attempts whose reports can never come, as Ray is gone from the process, end all the same."""

from __future__ import annotations

import queue
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
