"""An attempt's time limit: heard by Python code first, by a hanging process last.

The clock starts with the attempt, not in the queue. A signal raises `AttemptTimedOut` in the main
thread, which also interrupts sleeps and system calls; code that does not hear it (C code that
holds the interpreter lock, an `except BaseException`) is ended with its stack written down by
`faulthandler`, whose watchdog needs no interpreter lock.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from vaportrail.contract.outcome import Failure

__all__ = [
    "GRACE_SECONDS",
    "AttemptInterrupted",
    "AttemptTimedOut",
    "keeping_limit",
    "time_limit",
    "users_code_is_over",
]

GRACE_SECONDS: Final = 5.0
"""How long code may take to clean up after the signal before its process is ended."""


_KEEPING_SECONDS: Final = 120.0
_UNLIMITED: Final = nullcontext()

_watchdogs_file: int | None = None


class AttemptInterrupted(BaseException):
    """Raised in a task from outside. Not an `Exception`: broad handlers should not eat it.

    Attributes:
        failure: how it should be told, where that is not the traceback of this process.
    """

    failure: Failure | None = None


class AttemptTimedOut(AttemptInterrupted):
    """The task's time is up."""


def time_limit(seconds: float | None, stack_file: Path) -> AbstractContextManager[None]:
    """Bound the time of a block in the main thread.

    Args:
        seconds: the limit; None for none.
        stack_file: where all threads' stacks go if the process has to be ended; its content is the
            evidence that it was the time limit that ended it.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        return _UNLIMITED
    return _limited(seconds, stack_file)


@contextmanager
def _limited(seconds: float, stack_file: Path) -> Iterator[None]:
    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise AttemptTimedOut(f"ran longer than its timeout of {seconds:g} s")

    fd = _watch(seconds + GRACE_SECONDS, stack_file)
    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # In a block of its own: an alarm may still land in the one above.
        _unwatch(fd, stack_file)
        signal.signal(signal.SIGALRM, previous)


def keeping_limit(seconds: float | None, stack_file: Path) -> AbstractContextManager[None]:
    """Bound the time of a block that keeps what is left of a task: by the end of this process only.

    What is asked of the user's objects then may hang: an exception's words, a pool's end. Whoever
    needs more time than the limit and as much again as there is for keeping has not ended within it.

    Args:
        seconds: the task's limit; None for none.
        stack_file: as for `time_limit`.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        return _UNLIMITED
    return _kept_within(seconds, stack_file)


@contextmanager
def _kept_within(seconds: float, stack_file: Path) -> Iterator[None]:
    fd = None
    with suppress(OSError):  # on a full disk the limit goes, and not what the task has to say
        fd = _watch(seconds + _KEEPING_SECONDS, stack_file)
    try:
        yield
    finally:
        if fd is not None:
            _unwatch(fd, stack_file)


def _watch(seconds: float, stack_file: Path) -> int:
    """End this process in so many seconds, its stacks written down; return the file they go to."""
    global _watchdogs_file
    fd = _watchdogs_file = os.open(stack_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    faulthandler.dump_traceback_later(seconds, exit=True, file=fd)
    return fd


def _unwatch(fd: int, stack_file: Path) -> None:
    global _watchdogs_file
    faulthandler.cancel_dump_traceback_later()
    _watchdogs_file = None
    os.close(fd)
    stack_file.unlink(missing_ok=True)


def users_code_is_over() -> None:
    """End the time limit early: what the attempt still does is ours, such as to keep a notebook.

    The limit and the grace after it are for the user's code. What we promise to keep afterwards must
    not fall to them on a slow machine, but it may not hang for ever either.
    """
    if _watchdogs_file is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.dump_traceback_later(_KEEPING_SECONDS, exit=True, file=_watchdogs_file)
