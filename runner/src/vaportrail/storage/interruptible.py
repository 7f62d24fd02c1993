"""Calls that wait for a machine elsewhere, made so that a signal is heard in the meantime.

Python's handlers run in the main thread only, and not while it is inside a call of a library that is
not Python. So the call goes to a thread of its own, and the main thread waits for that.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

__all__ = ["interruptibly", "side_by_side"]

_LOOK_SECONDS: Final = 0.5
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def interruptibly(call: Callable[[], _Result], seconds: float | None = None) -> _Result:
    """Make a call and return its result; what a signal's handler raises is raised at once.

    The call itself goes on then, and what becomes of it is not known.

    Args:
        call: may block; outside of the main thread, where no handler runs, it is just called.
        seconds: how long to wait for it; as long as it takes unless given.

    Raises:
        TimeoutError: the time is over.
    """
    if seconds is None and threading.current_thread() is not threading.main_thread():
        return call()
    return _wait(_begin(call), seconds)


def side_by_side(call: Callable[[_Item], _Result], items: Iterable[_Item], at_once: int = 8) -> list[_Result]:
    """Make one call for each item, some at a time; return the results in the items' order.

    Example:
        >>> side_by_side(len, ["a", "bc"])
        [1, 2]
    """
    todo: list[tuple[_Item, Future[_Result]]] = [(item, Future()) for item in items]
    waiting = iter(todo)
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                item, done = next(waiting, (None, None))
            if done is None:
                return
            _settle(done, lambda item=item: call(item))  # type: ignore[misc]

    for _ in range(min(at_once, len(todo))):
        threading.Thread(target=work, name="vaportrail-store", daemon=True).start()
    return [_wait(done) for _, done in todo]


def _wait(done: Future[_Result], seconds: float | None = None) -> _Result:
    limit = math.inf if seconds is None else time.monotonic() + seconds
    while True:
        left = limit - time.monotonic()
        # A signal that the system gives to another thread does not wake this one.
        with suppress(TimeoutError):
            return done.result(min(left, _LOOK_SECONDS))
        if done.done():
            return done.result()
        if left <= _LOOK_SECONDS:
            raise TimeoutError


def _begin(call: Callable[[], _Result]) -> Future[_Result]:
    done: Future[_Result] = Future()
    # A daemon: the end of the process does not wait for a store that never answers.
    threading.Thread(target=_settle, args=(done, call), name="vaportrail-store", daemon=True).start()
    return done


def _settle(done: Future[_Result], call: Callable[[], _Result]) -> None:
    try:
        done.set_result(call())
    except BaseException as error:
        done.set_exception(error)
