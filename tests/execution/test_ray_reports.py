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


class Generator:
    """What Ray gives for a task whose returns are streamed: references that come one after the other."""

    def __init__(self, *come: str, error: BaseException | None = None) -> None:
        self.come, self.error = [SimpleNamespace(name=name, is_nil=lambda: False) for name in come], error
        self.end = SimpleNamespace(name="end", is_nil=lambda: False)

    def completed(self) -> Any:
        return self.end

    def _next_sync(self, timeout: float) -> Any:
        if self.come:
            return self.come.pop(0)
        if self.error is None:
            raise StopIteration
        return self.end


class Heard:
    """A stream that takes a report that says `value` as one whose value follows."""

    def __init__(self, left: int) -> None:
        self.left, self.value_follows = left, False
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def reported(self, get: Callable[[], Any]) -> None:
        report = get()
        self.value_follows = report == "value"
        self.left -= not self.value_follows
        self.said.put(report)

    def came(self, value: Any) -> None:
        self.said.put(value)

    def over(self, get: Callable[[], Any]) -> None:
        try:
            self.said.put(("over", get()))
        except Exception as error:
            self.said.put(("over", error))

    def look(self) -> None: ...


def streaming(generator: Generator, loaded: list[str]) -> Any:
    """Return Ray as far as reports know it."""

    def wait(references: list[Any], *, num_returns: int = 1, timeout: float, fetch_local: bool) -> Any:
        return references, []

    def get(reference: Any) -> Any:
        many = reference if isinstance(reference, list) else [reference]
        loaded.extend(each.name for each in many)
        if generator.end in many and generator.error is not None:
            raise generator.error
        return [each.name for each in many] if isinstance(reference, list) else many[0].name

    return SimpleNamespace(is_initialized=lambda: True, wait=wait, get=get)


def test_of_a_stream_each_report_is_heard_and_a_value_is_not_loaded() -> None:
    loaded: list[str] = []
    generator, stream = Generator("one", "two", "value", "large"), Heard(3)
    large = generator.come[-1]
    reports = Reports(streaming(generator, loaded))
    reports.follow(generator, stream)
    said = [stream.said.get(timeout=60) for _ in range(5)]
    reports.close()

    assert said == ["one", "two", "value", large, ("over", "end")]
    assert "large" not in loaded


def test_a_stream_whose_reports_have_all_come_is_over() -> None:
    generator, stream = Generator("one", "two", "more"), Heard(2)
    reports = Reports(streaming(generator, []))
    reports.follow(generator, stream)
    said = [stream.said.get(timeout=60) for _ in range(3)]
    reports.close()

    assert said == ["one", "two", ("over", "end")]


@pytest.mark.parametrize("initialized", [True, False], ids=["its worker", "Ray itself"])
def test_a_stream_is_told_what_was_lost(initialized: bool) -> None:
    error = OSError("lost")
    generator, stream = Generator("one", error=error), Heard(3)
    ray = streaming(generator, [])
    ray.is_initialized = lambda: initialized
    reports = Reports(ray)
    reports.follow(generator, stream)
    said = [stream.said.get(timeout=60) for _ in range(2 if initialized else 1)]
    reports.close()

    assert said[:-1] == (["one"] if initialized else [])
    end, raised = said[-1]
    assert end == "over"
    assert raised is error or "is gone from this process" in str(raised)
