"""Work that is given to Ray itself, beside the run's tasks: it is counted, since it is not recorded.

Nested tasks and actors, and libraries that make them such as Ray Data, run in processes that the
record does not follow. So that nothing is lost silently, who submits them says so in the record.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope

__all__ = ["NESTED", "NestedWork", "count_nested_work", "counted_nested_work", "tell_nested_work"]

NESTED: Final = (
    "tasks and actors that code gave to Ray itself (also by Ray Data): what they printed, logged and "
    "measured is not recorded"
)
_OURS: Final = "vaportrail."


class NestedWork:
    """Counts what is submitted: the first of each attempt is told at once, the others together.

    Where its process dies the record still knows that there was some.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._reported: Counter[AttemptScope | None] = Counter()
        self._made: Counter[AttemptScope | None] = Counter()
        self._untold = False

    def note(self) -> None:
        """Count one submission of the current attempt, or of the pipeline's body."""
        scope = attempt_scope()
        with self._lock:
            self._made[scope] += 1
            self._untold = True
            first = self._made[scope] == 1
        if first:
            self.tell()

    def tell(self) -> None:
        """Write what was counted and not told."""
        if not self._untold:
            return
        recorder = active()
        if recorder is None:
            return
        with self._lock:
            more = self._made - self._reported
            self._reported = Counter(self._made)
            self._untold = False
        for scope, count in more.items():
            recorder.not_captured(NESTED, count, attempt=scope)


_work = NestedWork()
_inside = threading.local()


def tell_nested_work() -> None:
    """Write what this process counted and did not tell."""
    _work.tell()


def count_nested_work() -> Callable[[], None]:
    """Count from now on what this process gives to Ray; return what puts all back as it was."""
    from ray.actor import ActorClass
    from ray.remote_function import RemoteFunction

    kinds: tuple[Any, ...] = (RemoteFunction, ActorClass)
    before = [kind._remote for kind in kinds]
    if any(hasattr(method, "counts_nested_work") for method in before):
        return lambda: None
    for kind, method in zip(kinds, before, strict=True):
        kind._remote = _counting(method)

    def put_back() -> None:
        for kind, method in zip(kinds, before, strict=True):
            kind._remote = method

    return put_back


@contextmanager
def counted_nested_work() -> Iterator[None]:
    """Count what this process gives to Ray in the block, and tell it at the end."""
    put_back = count_nested_work()
    try:
        yield
    finally:
        put_back()
        _work.tell()


def _counting(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        # An actor's submission can lead to itself.
        if getattr(_inside, "now", False) or _is_ours(self):
            return method(self, *args, **kwargs)
        _inside.now = True
        try:
            _work.note()
            return method(self, *args, **kwargs)
        finally:
            _inside.now = False

    counting.counts_nested_work = True  # type: ignore[attr-defined]
    return counting


def _is_ours(submitted: Any) -> bool:
    module = getattr(getattr(submitted, "_function", None), "__module__", None) or ""
    return str(module).startswith(_OURS)
