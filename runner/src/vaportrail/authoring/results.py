"""What a pipeline's body asks of its tasks: `result`, `outcome`, `as_completed`, `cancel`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from vaportrail.authoring.handle import Handle
from vaportrail.authoring.nested import filled, handles_in
from vaportrail.authoring.options import parse_duration
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import HandleError

__all__ = ["as_completed", "cancel", "outcome", "result"]

R = TypeVar("R")


def result(value: R, *, timeout: str | float | None = None) -> R:
    """Wait for a task's value, so that what the pipeline does next can depend on it.

    In lists, tuples and dicts each handle is replaced by its value, and the shape stays. What holds
    no handle is returned as it is, so the same pipeline also runs as a plain function.

    Args:
        value: what a task call returned, or a list, tuple or dict of such.
        timeout: how long to wait for all of it, such as ``"5m"`` or a number of seconds; for ever
            unless given.

    Raises:
        TaskFailed: a task did not succeed; the first of them.
        TimeoutError: the wait was over first; the tasks go on.
        HandleError: a handle lies in something that is not looked into, such as a set.

    Example:
        >>> from vaportrail import pipeline, result, task
        >>> @task
        ... def square(x: int) -> int:
        ...     return x * x
        >>> @pipeline
        ... def squares(n: int) -> int:
        ...     return sum(result(square.map(range(n))))
        >>> squares(4)
        14
    """
    seconds = None if timeout is None else parse_duration(timeout, "timeout")
    until = None if seconds is None else time.monotonic() + seconds

    def wait(handle: Handle) -> Any:
        if until is None:
            return handle.session.result(handle, None)
        try:
            return handle.session.result(handle, max(0.0, until - time.monotonic()))
        except TimeoutError:
            raise TimeoutError(f"task {handle.task_id!r} has not ended within {seconds:g} s") from None

    handles_in(value, "result()")
    return cast("R", filled(value, wait))


def outcome(value: object) -> Outcome:
    """Wait for a task and return how it ended, without raising; plain values have succeeded.

    Of a list, tuple or dict of tasks it is ``SUCCEEDED`` only if all of them are; otherwise the first
    that is neither that nor only ``SKIPPED`` because of another.

    Raises:
        HandleError: a handle lies in something that is not looked into, such as a set.

    Example:
        >>> good = [model for model in models if outcome(model).ok]     # doctest: +SKIP
    """
    outcomes = [handle.session.outcome(handle) for handle in handles_in(value, "outcome()")]
    bad = [each for each in outcomes if not each.ok]
    causes = [each for each in bad if each is not Outcome.SKIPPED]
    return next(iter([*causes, *bad]), Outcome.SUCCEEDED)


def as_completed(values: Iterable[R]) -> Iterator[R]:
    """Yield what was given in the order in which the tasks end; plain values come first.

    Raises:
        HandleError: a handle lies inside one of the values, or is a value of a dict.

    Example:
        >>> for model in as_completed(train.map(sizes)):        # doctest: +SKIP
        ...     benchmark(model)
    """
    if isinstance(values, Mapping) and handles_in(list(values.values()), "as_completed()"):
        raise HandleError(
            "as_completed() goes over the keys of a dict, and its handles are the values: "
            "give it as_completed(tasks.values())"
        )
    plain: list[R] = []
    handles: list[Handle] = []
    for value in values:
        if isinstance(value, Handle):
            handles.append(value)
        elif inside := handles_in(value, "as_completed()"):
            raise HandleError(
                f"as_completed() takes handles one by one, and {inside[0]!r} is inside a "
                f"{type(value).__name__}: give it one flat list, such as [*first, *second]"
            )
        else:
            plain.append(value)
    return _in_order(plain, handles)


def _in_order(plain: list[R], handles: list[Handle]) -> Iterator[R]:
    yield from plain
    if handles:
        ended = handles[0].session.as_completed(handles)
        del handles  # of what has been yielded nothing is to be held here
        yield from cast("Iterator[R]", ended)


def cancel(value: object) -> None:
    """Cancel a task that has not ended: it ends `CANCELLED`, what needs it ends `SKIPPED`.

    Args:
        value: what a task call returned, or a list, tuple or dict of such: then all are cancelled.

    Raises:
        HandleError: a handle lies in something that is not looked into, such as a set.
    """
    for handle in handles_in(value, "cancel()"):
        handle.session.cancel(handle)
