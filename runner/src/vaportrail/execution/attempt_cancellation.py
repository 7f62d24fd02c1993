"""Cancelling a running attempt so that it can still clean up.

`ray.cancel()` sets a flag that only running Python code hears: a task that sleeps or waits for a
child process would have to be killed. So the runner also leaves a marker in the spool, a thread of
the worker sees it and sends a signal to the main thread, which wakes it from system calls. On
another node there is no marker, and Ray's own way is left.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType
from typing import Any, Final

from vaportrail.execution import raw_signals
from vaportrail.execution.deadline import AttemptInterrupted

__all__ = ["AttemptCancelled", "cancel_marker", "cancellable", "watch"]

_PERIOD: Final = 0.2
_SIGNAL: Final = signal.SIGUSR1


class AttemptCancelled(AttemptInterrupted):
    """The task was cancelled."""


def cancel_marker(spool: str, task_id: str, attempt: int) -> str:
    """Return the path of the file whose existence tells an attempt on this host that it is cancelled."""
    return os.path.join(spool, f"{task_id}.{attempt}.cancel")


@dataclass(slots=True)
class _Attempt:
    """The attempt that is running, and whether it was told."""

    marker: str | os.PathLike[str]
    noticed: bool = False


_current: _Attempt | None = None


class cancellable(AbstractContextManager[None]):
    """Raise `AttemptCancelled` in a block of the main thread, once, when it is cancelled.

    Args:
        marker: the file that says so.
    """

    def __init__(self, marker: str | os.PathLike[str]) -> None:
        self._marker = marker
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        self._before: Any = None

    def __enter__(self) -> None:
        global _current
        if self._in_main_thread:
            watch()
            # Ray's way arrives as a SIGINT that was never sent.
            self._before = raw_signals.signal(signal.SIGINT, _hear)
            _current = _Attempt(self._marker)

    def __exit__(self, *_raised: object) -> None:
        global _current
        if self._in_main_thread:
            _current = None
            raw_signals.signal(signal.SIGINT, self._before)


def _hear(signum: int, _frame: FrameType | None) -> None:
    attempt = _current
    # One of ours may come late, when its attempt is over: only the marker says whom it is meant for.
    if attempt is None or attempt.noticed or (signum == _SIGNAL and not os.path.exists(attempt.marker)):
        return
    attempt.noticed = True  # the marker and Ray may both say it; the clean-up is not to be disturbed
    raise AttemptCancelled("the task was cancelled")


@lru_cache(maxsize=1)
def watch() -> None:
    """Look for markers from now on, in one thread for the process's life."""
    # Never taken back: by default this signal would end the process.
    signal.signal(_SIGNAL, _hear)
    threading.Thread(target=_look, name="vaportrail-cancel", daemon=True).start()


def _look() -> None:
    main, tick = threading.main_thread().ident, threading.Event()
    while not tick.wait(_PERIOD):
        attempt = _current
        if attempt is not None and not attempt.noticed and os.path.exists(attempt.marker):
            signal.pthread_kill(main or 0, _SIGNAL)
