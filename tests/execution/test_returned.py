"""What a body returned: handles in it become values, what cannot be had is told and decides nothing."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vaportrail.authoring.handle import Handle
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.errors import TaskFailed, UsageError
from vaportrail.execution.returned import Returned, refuse_lazy


class Ended:
    """A session in which every task has ended: a value by its name, or failed."""

    def submit(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        raise AssertionError("nothing is submitted here")

    def result(self, handle: Handle, timeout: float | None) -> Any:
        if handle.task_id == "bad-1":
            raise TaskFailed("bad-1", Outcome.FAILED, Failure("ValueError", "no", ""))
        return [handle.task_id]

    def outcome(self, handle: Handle) -> Outcome:
        return Outcome.SUCCEEDED

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        yield from handles

    def cancel(self, handle: Handle) -> None:
        return None


def resolved(value: Any) -> Returned:
    returned = Returned()
    returned.resolve(value)
    return returned


def test_handles_in_what_was_returned_become_their_values() -> None:
    good = Handle("good-1", Ended())
    returned = resolved({"a": [good, 3], "b": (good,)})
    assert (returned.value, returned.missing) == ({"a": [["good-1"], 3], "b": (["good-1"],)}, "")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: [Handle("good-1", Ended()), Handle("bad-1", Ended())], "TaskFailed: .*'bad-1'"),
        (lambda: {"x": {Handle("good-1", Ended()): 1}}, "HandleError: .* keys of a dict"),
    ],
    ids=["failed", "key"],
)
def test_what_cannot_be_had_says_why(make: Callable[[], Any], words: str) -> None:
    returned = resolved(make())
    assert returned.value is None
    assert re.search(words, returned.missing)


def test_a_body_that_has_not_returned_says_so() -> None:
    assert Returned().missing == "the pipeline's body has not returned"


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def both() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("make", "kind"),
    [(coroutine, "a coroutine"), (generator, "a generator"), (both, "an asynchronous generator")],
    ids=["coroutine", "generator", "both"],
)
def test_a_body_of_which_nothing_ran_is_refused_without_a_warning(make: Callable[[], Any], kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match=f"the pipeline returned {kind}, of which nothing has run"):
            refuse_lazy(make())


@pytest.mark.parametrize("value", [None, 3, [1], iter([1])], ids=["nothing", "number", "list", "iterator"])
def test_what_has_run_is_taken(value: Any) -> None:
    refuse_lazy(value)
