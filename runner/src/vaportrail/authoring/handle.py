"""Handles: what a task call is while its task has not ended.

A task call is typed as its result, so that pipelines type-check as the plain Python they are; at
run time, inside a pipeline's run, it is a `Handle`. A handle may be put anywhere inside another
task's arguments; `result(handle)` waits for the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, Protocol, TypeVar, cast

from vaportrail.authoring.options import parse_duration
from vaportrail.contract import Outcome
from vaportrail.errors import HandleError

__all__ = ["Handle", "Session", "as_completed", "cancel", "outcome", "result"]

R = TypeVar("R")


class Session(Protocol):
    """The run that a pipeline's body talks to."""

    def submit(self, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        """Take a task call and return its handle at once."""
        ...

    def result(self, handle: Handle, timeout: float | None) -> Any:
        """Wait for a task and return its value; raise `TaskFailed` or `TimeoutError`."""
        ...

    def outcome(self, handle: Handle) -> Outcome:
        """Wait for a task and return how it ended."""
        ...

    def as_completed(self, handles: list[Handle]) -> Iterator[Handle]:
        """Yield handles as their tasks end."""
        ...

    def cancel(self, handle: Handle) -> None:
        """Cancel a task that has not ended."""
        ...


class Handle:
    """Stands for the value of a task that may not have ended yet."""

    __slots__ = ("__weakref__", "session", "task_id")

    def __init__(self, task_id: str, session: Session) -> None:
        self.task_id = task_id
        self.session = session

    def __repr__(self) -> str:
        return f"<Handle of task {self.task_id!r}>"

    def _refuse(self, what: str) -> NoReturn:
        raise HandleError(
            f"the value of task {self.task_id!r} is not here yet, so it cannot be {what}: "
            "pass it on to another task as it is, or wait for it with vaportrail.result(...)"
        )

    def __bool__(self) -> bool:
        self._refuse("used as a condition")

    def __eq__(self, other: object) -> bool:
        self._refuse("compared")

    __hash__ = object.__hash__

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iterated over or unpacked")

    def __len__(self) -> int:
        self._refuse("measured with len()")

    def __getitem__(self, key: object) -> Any:
        self._refuse("indexed")

    def __contains__(self, item: object) -> bool:
        self._refuse("searched")

    def __add__(self, other: object) -> Any:
        self._refuse("calculated with")

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
    __lt__ = __le__ = __gt__ = __ge__ = __add__

    def __format__(self, spec: str) -> str:
        self._refuse("written into a text")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        self._refuse("called")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"asked for its attribute {name!r}")

    def __reduce__(self) -> NoReturn:
        self._refuse("pickled")


def result(value: R, *, timeout: str | None = None) -> R:
    """Wait for a task's value, so that what the pipeline does next can depend on it.

    Anything that is not a handle is returned as it is, so the same pipeline also runs as a plain
    function.

    Args:
        value: what a task call returned.
        timeout: how long to wait, such as ``"5m"``; for ever unless given.

    Raises:
        TaskFailed: the task did not succeed.
        TimeoutError: the wait was over first; the task goes on.

    Example:
        >>> from vaportrail import pipeline, result, task
        >>> @task
        ... def count() -> int:
        ...     return 3
        >>> @pipeline
        ... def fan_out() -> int:
        ...     return sum(result(count()) for _ in range(result(count())))
        >>> fan_out()
        9
    """
    if isinstance(value, Handle):
        seconds = None if timeout is None else parse_duration(timeout, "timeout")
        return cast("R", value.session.result(value, seconds))
    return value


def outcome(value: object) -> Outcome:
    """Wait for a task and return how it ended, without raising; plain values have succeeded."""
    return value.session.outcome(value) if isinstance(value, Handle) else Outcome.SUCCEEDED


def as_completed(values: Iterable[R]) -> Iterator[R]:
    """Yield what was given in the order in which the tasks end; plain values come first.

    Example:
        >>> for model in as_completed(train.map(sizes)):        # doctest: +SKIP
        ...     benchmark(model)
    """
    handles: list[Handle] = []
    for value in values:
        if isinstance(value, Handle):
            handles.append(value)
        else:
            yield value
    if handles:
        yield from cast("Iterator[R]", handles[0].session.as_completed(handles))


def cancel(value: object) -> None:
    """Cancel a task that has not ended: it ends `CANCELLED`, what needs it ends `SKIPPED`."""
    if isinstance(value, Handle):
        value.session.cancel(value)
