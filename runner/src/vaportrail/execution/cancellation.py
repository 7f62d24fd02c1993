"""Cancelling a running attempt so that it can still clean up.

`ray.cancel()` sets a flag that only running Python code hears: a task that sleeps or waits for a
child process would have to be killed. So the driver also leaves a marker in the spool, a thread of
the worker sees it and sends a signal to the main thread, which wakes it from system calls. On
another node there is no marker, and Ray's own way is left.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from vaportrail.execution.deadline import AttemptInterrupted

__all__ = ["AttemptCancelled", "cancel_marker", "cancellable"]

_PERIOD: Final = 0.2
_SIGNAL: Final = signal.SIGUSR1


class AttemptCancelled(AttemptInterrupted):
    """The task was cancelled."""


def cancel_marker(spool: str, task_id: str, attempt: int) -> Path:
    """Return the file whose existence tells an attempt on this host that it is cancelled."""
    return Path(spool) / f"{task_id}.{attempt}.cancel"


@contextmanager
def cancellable(marker: Path) -> Iterator[None]:
    """Raise `AttemptCancelled` in a block of the main thread, once, when it is cancelled.

    Args:
        marker: the file that says so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told = False

    def hear(_signum: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:  # the marker and Ray may both say it; the clean-up is not to be disturbed
            told = True
            raise AttemptCancelled("the task was cancelled")

    # Ray's way arrives as a SIGINT that was never sent.
    before = {number: signal.signal(number, hear) for number in (_SIGNAL, signal.SIGINT)}
    try:
        with _watch.over(marker):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watch:
    """One thread a process that looks for the marker of the attempt that is running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marker: Path | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, marker: Path) -> Iterator[None]:
        with self._lock:
            self._marker = marker
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, name="vaportrail-cancel", daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            # Not `with`: the signal itself must not leave the lock taken.
            self._marker = None
            self._lock.acquire()
            self._lock.release()

    def _look(self) -> None:
        tick = threading.Event()
        while not tick.wait(_PERIOD):
            with self._lock:
                if self._marker is not None and self._marker.exists():
                    self._marker = None
                    signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)


_watch = _Watch()
