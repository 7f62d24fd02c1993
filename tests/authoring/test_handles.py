"""Handles: every use that needs the value is refused in words; waiting functions take plain values too."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vaportrail.authoring.handle import Handle, as_completed, cancel, outcome, result
from vaportrail.contract import Outcome
from vaportrail.errors import HandleError, OptionError, UsageError


class Ended:
    """A session in which every task has ended; the value of a task is its id in capitals."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []
        self.cancelled: list[str] = []

    def submit(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        raise AssertionError("nothing is submitted here")

    def result(self, handle: Handle, timeout: float | None) -> Any:
        self.timeouts.append(timeout)
        return handle.task_id.upper()

    def outcome(self, handle: Handle) -> Outcome:
        return Outcome.FAILED

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        yield from reversed(handles)

    def cancel(self, handle: Handle) -> None:
        self.cancelled.append(handle.task_id)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def handle(ended: Ended) -> Any:
    return Handle("train-2", ended)


def unpack(handle: Any) -> None:
    _first, _second = handle


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bool": (bool, "used as a condition"),
    "not": (lambda h: not h, "used as a condition"),
    "and": (lambda h: h and 1, "used as a condition"),
    "equal": (lambda h: h == 1, "compared"),
    "not equal": (lambda h: h != 1, "compared"),
    "iterate": (lambda h: list(h), "iterated over or unpacked"),
    "star": (lambda h: print(*h), "iterated over or unpacked"),
    "unpack": (unpack, "iterated over or unpacked"),
    "len": (len, r"measured with len\(\)"),
    "index": (lambda h: h[0], "indexed"),
    "key": (lambda h: h["auc"], "indexed"),
    "call": (lambda h: h(1), "called"),
    "attribute": (lambda h: h.accuracy, "asked for its attribute 'accuracy'"),
    "method": (lambda h: h.mean(), "asked for its attribute 'mean'"),
    "pickle": (pickle.dumps, "pickled"),
    "copy": (copy.copy, "pickled"),
}


@pytest.mark.parametrize("use", REFUSED)
def test_a_handle_used_as_its_value_says_what_was_done_and_what_to_do(handle: Any, use: str) -> None:
    act, words = REFUSED[use]
    with pytest.raises(HandleError, match=words) as caught:
        act(handle)
    assert "'train-2'" in str(caught.value)
    assert "vaportrail.result(...)" in str(caught.value)


def test_a_refused_use_is_both_a_usage_error_and_a_type_error() -> None:
    assert issubclass(HandleError, UsageError)
    assert issubclass(HandleError, TypeError)


def test_a_handle_can_be_printed(handle: Any) -> None:
    assert repr(handle) == str(handle) == "<Handle of task 'train-2'>"


def test_a_handle_can_be_a_key_and_is_found_again(handle: Any, ended: Ended) -> None:
    other = Handle("train-3", ended)
    assert {handle: "a", other: "b"}[handle] == "a"
    assert handle in [other, handle][1:]


def test_special_names_are_plainly_missing_so_that_libraries_can_ask(handle: Any) -> None:
    assert not hasattr(handle, "__array__")


def test_result_waits_for_the_value(handle: Any) -> None:
    assert result(handle) == "TRAIN-2"


@pytest.mark.parametrize(("timeout", "seconds"), [(None, None), ("5m", 300.0)])
def test_result_hands_its_timeout_on_in_seconds(
    handle: Any, ended: Ended, timeout: str | None, seconds: float | None
) -> None:
    result(handle, timeout=timeout)
    assert ended.timeouts == [seconds]


def test_result_refuses_a_timeout_that_is_no_duration(handle: Any) -> None:
    with pytest.raises(OptionError, match="timeout='soon'"):
        result(handle, timeout="soon")


@pytest.mark.parametrize("value", [None, 0, "text", [1], object], ids=repr)
def test_result_gives_back_a_plain_value(value: object) -> None:
    assert result(value) is value


def test_outcome_says_how_the_task_ended(handle: Any) -> None:
    assert outcome(handle) is Outcome.FAILED


@pytest.mark.parametrize("value", [None, False, "text"], ids=repr)
def test_a_plain_value_has_succeeded(value: object) -> None:
    assert outcome(value) is Outcome.SUCCEEDED


def test_as_completed_gives_handles_in_the_order_of_their_ends(ended: Ended) -> None:
    first, second = Handle("a", ended), Handle("b", ended)
    assert [h.task_id for h in as_completed([first, second])] == ["b", "a"]


def test_as_completed_gives_plain_values_first_and_loses_none(ended: Ended) -> None:
    waiting: Any = Handle("a", ended)
    given = list(as_completed([1, waiting, None, 2]))
    assert given[:3] == [1, None, 2]
    assert given[3] is waiting


def test_as_completed_of_nothing_is_nothing() -> None:
    assert list(as_completed([])) == []


def test_cancel_cancels_the_task(handle: Any, ended: Ended) -> None:
    cancel(handle)
    assert ended.cancelled == ["train-2"]


def test_cancelling_a_plain_value_does_nothing() -> None:
    cancel(3)
