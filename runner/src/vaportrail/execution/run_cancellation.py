"""Ending a run from outside: by a signal's handler, wherever the main thread is at that moment."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeVar

from vaportrail.execution.insistence import Insistence
from vaportrail.execution.verdict import CANCELLED, Verdict

__all__ = ["Cancellation", "RunCancelled"]

_SIGNAL: Final = signal.SIGUSR1
_AGAIN_SECONDS: Final = 0.05
BODY_GRACE_SECONDS: Final = 10.0
"""How long a pipeline's body may go on once it was told, for its clean-up."""
INSIST_SECONDS: Final = 1.0
"""How often it is told from then on."""

T = TypeVar("T")


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
        self._at_request: Callable[[], None] = lambda: None
        self._insistence: Insistence | None = None
        self._insists = False
        self._timer: threading.Timer | None = None
        self._on_their_way: list[threading.Timer] = []
        self._woken = False
        self._hears = False
        self._asked: Verdict | None = None
        self._others: Any = signal.SIG_DFL

    @property
    def requested(self) -> Verdict | None:
        """How and why the run is to end; None where nobody asked for it."""
        return self._requested

    def request(self, verdict: Verdict = CANCELLED) -> None:
        """End the run so; called in the main thread, as by a signal's handler. Only the first counts."""
        if self._requested is not None:
            return
        self._requested = verdict
        self._at_request()
        if self._insistence is not None:
            others = signal.signal(_SIGNAL, self._hear)
            if others != self._hear:  # the body has taken it
                self._others = others
            self._insist_later(BODY_GRACE_SECONDS)
        self._raise()

    def ask(self, verdict: Verdict) -> None:
        """End the run so, called in any thread: the main thread hears it by a signal, if the run is there.

        Where the body has taken our signal, it hears SIGINT instead, if anybody takes that.
        """
        if self._requested is not None:
            return
        self._asked = verdict
        if self._hears and signal.getsignal(_SIGNAL) == self._hear:
            self._wake()
        elif self._hears and callable(signal.getsignal(signal.SIGINT)):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def call(self, body: Callable[[], T], at_request: Callable[[], None] = lambda: None) -> T:
        """Call code of the user's, which a cancellation ends whatever that code catches.

        It is told at once, by `RunCancelled`, and has `BODY_GRACE_SECONDS` for its clean-up. From then
        on every line of it raises.

        Args:
            body: what is called.
            at_request: is called first of all when the cancellation comes.
        """
        if threading.current_thread() is not threading.main_thread():
            return body()  # no handler of a signal runs here
        self._at_request, self._insistence = at_request, Insistence(self._error)
        try:
            return self._insistence.call(body)
        finally:
            self._at_request, self._insistence = lambda: None, None
            if self._timer is not None:
                self._timer.cancel()
                self._armed = False  # it was heard

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
            raise self._error()

    def _error(self) -> RunCancelled:
        return RunCancelled(self._requested or CANCELLED)

    def _insist_later(self, seconds: float) -> None:
        def due() -> None:
            self._insists = True
            self._wake()

        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._later(seconds, due)

    def _later(self, seconds: float, act: Callable[[], None]) -> threading.Timer:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        self._on_their_way.append(timer)
        timer.start()
        return timer

    def _wake(self) -> None:
        """Wake the main thread, wherever it waits, and let it hear."""
        self._woken = True
        signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        """Raise once more, in the main thread; the body's time may be up.

        What the run did not send is for the handler from before.
        """
        if not self._woken:
            if callable(self._others):
                self._others(signum, frame)
            return
        self._woken = False
        if self._asked is not None:
            self.request(self._asked)
        if self._insists and self._insistence is not None:
            self._insist_later(INSIST_SECONDS)
            self._insistence.begin(frame)
        self._raise()

    @contextmanager
    def _raised_again(self) -> Iterator[None]:
        """Raise once more what came while an object was being destroyed: Python lets nothing out of that."""
        if threading.current_thread() is not threading.main_thread():
            yield  # no handler of a signal runs here
            return
        others = sys.unraisablehook

        def swallowed(what: Any) -> None:
            if isinstance(what.exc_value, RunCancelled):
                # Later, and by a signal, which also wakes the main thread where it waits.
                self._later(_AGAIN_SECONDS, self._wake)
            else:
                others(what)

        before = self._others = signal.signal(_SIGNAL, self._hear)
        sys.unraisablehook = swallowed
        self._hears = True
        try:
            yield
        finally:
            self._hears = False
            sys.unraisablehook = others
            for timer in self._on_their_way:
                timer.cancel()
                if timer.ident is not None:
                    timer.join()
            _put_back(before, sent=self._woken)


def _put_back(handler: Any, *, sent: bool) -> None:
    """Put back the handler of our signal, once none is left that we sent, or that would end the process."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {_SIGNAL})
    try:
        if _SIGNAL in signal.sigpending() and (sent or not callable(handler)):
            signal.sigwait({_SIGNAL})
        if handler is not None:  # None: one that Python did not set, and cannot set again
            signal.signal(_SIGNAL, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
