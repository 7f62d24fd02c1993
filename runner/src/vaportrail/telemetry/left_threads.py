"""Threads that go on after the attempt that started them: what they say stays that attempt's.

Context variables do not flow into threads, so it is the thread itself that is remembered. A thread of
a `concurrent.futures` pool works for whoever hands it work: it is an attempt's for that one piece.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    from vaportrail.telemetry.attempt_scope import AttemptScope

__all__ = ["leave_threads", "left_by"]


class _Left(NamedTuple):
    """Whose a thread is, and for how long."""

    scope: AttemptScope
    work: Callable[[], object | None] | None = None
    """Returns None once the piece of work that is the attempt's is done; None: until the thread ends."""


_left: WeakKeyDictionary[threading.Thread, _Left] = WeakKeyDictionary()
_any_left = False
"""Whether there ever was one: what is asked for each record."""


def left_by() -> AttemptScope | None:
    """Return the attempt that ended and left the calling thread, or None: it is of the one that runs."""
    found = _left.get(threading.current_thread()) if _any_left else None
    if found is None or (found.work is not None and found.work() is None):
        return None
    return found.scope


def leave_threads(scope: AttemptScope, before: Collection[threading.Thread]) -> bool:
    """Remember the threads that an attempt leaves; return whether any attempt has left one.

    Args:
        scope: the attempt, which is about to end.
        before: the threads that there were as it began.
    """
    main, pools = threading.main_thread(), sys.modules.get("concurrent.futures.thread")
    pooled = () if pools is None else pools._threads_queues
    for thread in threading.enumerate():
        if thread is main or isinstance(thread, threading._DummyThread):
            continue
        if thread in pooled:
            held = _left.get(thread)
            if held is None or held.work is None or held.work() is None:
                _left.pop(thread, None)
                work = _work(thread)
                if work is not None:
                    _left[thread] = _Left(scope, ref(work))
        elif thread not in before and thread not in _left:
            _left[thread] = _Left(scope)
    global _any_left
    if _left:
        _any_left = True
        _follow_starts()
    return bool(_left)


def _work(thread: threading.Thread) -> Any:
    """Return the piece of work that a pool's thread is at, or None."""
    # Not one more name for all frames: this one is among them, and would keep the work alive.
    frame = sys._current_frames().get(thread.ident or 0)
    run = sys.modules["concurrent.futures.thread"]._WorkItem.run.__code__
    while frame is not None and frame.f_code is not run:
        frame = frame.f_back
    return None if frame is None else frame.f_locals.get("self")


def _follow_starts() -> None:
    """Give the threads that a left thread starts, as a timer does that starts the next, its owner."""
    start = threading.Thread.start
    if hasattr(start, "__wrapped__"):
        return

    @wraps(start)
    def owned(thread: threading.Thread) -> None:
        scope = left_by()
        if scope is not None:
            _left[thread] = _Left(scope)
        start(thread)

    threading.Thread.start = owned  # type: ignore[method-assign, assignment]
