"""Handles: what a task call is while its task has not ended.

A task call is typed as its result, so that pipelines type-check as the plain Python they are; at
run time, inside a pipeline's run, it is a `Handle`. A handle may be put anywhere inside another
task's arguments; `result(handle)` waits for the value. Whatever else is done with it needs the value
and is refused in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NoReturn, Protocol

from vaportrail.contract.outcome import Outcome
from vaportrail.errors import HandleError

__all__ = ["Handle", "Session"]


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


_REFUSED: Final[dict[str, tuple[str, ...]]] = {
    "used as a condition": ("__bool__",),
    "compared": ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"),
    "iterated over or unpacked": ("__iter__", "__next__", "__reversed__"),
    "measured with len()": ("__len__", "__length_hint__"),
    "indexed": ("__getitem__", "__missing__"),
    "changed": ("__setitem__", "__delitem__"),
    "searched": ("__contains__",),
    "calculated with": (
        *(
            f"__{before}{name}__"
            for before in ("", "r", "i")
            for name in (
                "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow",
                "lshift", "rshift", "and", "xor", "or",
            )
        ),
        "__divmod__", "__rdivmod__", "__neg__", "__pos__", "__abs__", "__invert__",
        "__round__", "__trunc__", "__floor__", "__ceil__",
    ),
    "used as a number": ("__int__", "__float__", "__complex__", "__index__"),
    "used as an array": ("__array__",),
    "written into a text": ("__str__", "__format__", "__bytes__"),
    "used as a path": ("__fspath__",),
    "called": ("__call__",),
    "entered with 'with'": ("__enter__", "__exit__", "__aenter__", "__aexit__"),
    "awaited": ("__await__", "__aiter__", "__anext__"),
    "pickled or copied": ("__reduce__", "__reduce_ex__"),
}  # fmt: skip
"""What cannot be done before the value is there, and the special methods that Python does it by."""


class Handle:
    """Stands for the value of a task that may not have ended yet."""

    __slots__ = ("__weakref__", "session", "task_id")

    task_id: str
    session: Session

    def __init__(self, task_id: str, session: Session) -> None:
        object.__setattr__(self, "task_id", task_id)
        object.__setattr__(self, "session", session)

    def __repr__(self) -> str:
        return f"<Handle of task {self.task_id!r}>"

    def _refuse(self, what: str) -> NoReturn:
        raise HandleError(
            f"the value of task {self.task_id!r} is not here yet, so it cannot be {what}: "
            "pass it on to another task as it is, or wait for it with vaportrail.result(...)"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"asked for its attribute {name!r}")

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse(f"given an attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        self._refuse(f"changed at its attribute {name!r}")

    __hash__ = object.__hash__


def _refusing(what: str) -> Any:
    def refuse(self: Handle, *_args: object, **_kwargs: object) -> NoReturn:
        self._refuse(what)

    return refuse


for _what, _methods in _REFUSED.items():
    for _method in _methods:
        setattr(Handle, _method, _refusing(_what))
