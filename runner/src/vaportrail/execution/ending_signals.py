"""What ends a script that runs a pipeline ends it once the run is cancelled and sealed."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from vaportrail.execution.run_cancellation import Cancellation

__all__ = ["ends_on_signals"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
"""By default they end a process without a word to it. SIGINT has Python's own handler, which raises."""


@contextmanager
def ends_on_signals() -> Iterator[Cancellation]:
    """Cancel the run at SIGTERM and SIGHUP, and end the process by that signal after the block.

    A second one ends it at once. A signal that the program takes or ignores is left to it, and so are all
    of them where the run is not in the main thread.
    """
    cancellation, heard = Cancellation(), list[int]()

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) > 1:
            _end(number)
        cancellation.request()

    taken = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        taken = []
    for number in taken:
        signal.signal(number, hear)
    try:
        yield cancellation
    except BaseException:
        if heard:  # nobody will be there to catch it
            traceback.print_exc()
        raise
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if heard:
            _end(heard[0])


def _end(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
