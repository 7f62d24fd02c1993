"""Ending a run from outside: by a signal's handler, wherever the main thread is at that moment."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from vaportrail.execution.verdict import CANCELLED, Verdict

__all__ = ["Cancellation", "RunCancelled"]

_SIGNAL: Final = signal.SIGUSR1
_AGAIN_SECONDS: Final = 0.05


class RunCancelled(BaseException):
    """Raised in the pipeline's body when the run is ended from outside.

    Attributes:
        verdict: how and why: cancelled, or its time was up.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


class Cancellation:
    """Carries a cancellation into the run: at once where it can be heard, else as soon as it can.

    Before Ray starts and after it has stopped the run writes what its record cannot do without.
    """

    def __init__(self) -> None:
        self._armed = False
        self._requested: Verdict | None = None

    def request(self, verdict: Verdict = CANCELLED) -> None:
        """End the run so; called in the main thread, as by a signal's handler. Only the first counts."""
        if self._requested is not None:
            return
        self._requested = verdict
        self._raise()

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Hear cancellations within this block, and the one that came before it."""
        with self._raised_again():
            self._armed = True
            try:
                self._raise()
                yield
            finally:
                self._armed = False

    def _raise(self) -> None:
        if self._armed and self._requested is not None:
            raise RunCancelled(self._requested)

    @contextmanager
    def _raised_again(self) -> Iterator[None]:
        """Raise once more what came while an object was being destroyed: Python lets nothing out of that."""
        if threading.current_thread() is not threading.main_thread():
            yield  # no handler of a signal runs here
            return
        main, others = threading.main_thread().ident or 0, sys.unraisablehook
        on_their_way: list[threading.Timer] = []

        def swallowed(what: Any) -> None:
            if isinstance(what.exc_value, RunCancelled):
                # Later, and by a signal, which also wakes the main thread where it waits.
                on_their_way.append(threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main, _SIGNAL)))
                on_their_way[-1].start()
            else:
                others(what)

        def hear(_signum: int, _frame: FrameType | None) -> None:
            self._raise()

        before = signal.signal(_SIGNAL, hear)
        sys.unraisablehook = swallowed
        try:
            yield
        finally:
            sys.unraisablehook = others
            for timer in on_their_way:
                timer.cancel()
                timer.join()
            _put_back(before)


def _put_back(handler: Any) -> None:
    """Put back the handler of our signal, once none that was sent is left: by default it ends the process."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {_SIGNAL})
    try:
        if _SIGNAL in signal.sigpending():
            signal.sigwait({_SIGNAL})
        if handler is not None:  # None: one that Python did not set, and cannot set again
            signal.signal(_SIGNAL, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
