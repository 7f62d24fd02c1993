"""How a signal ends a run: the first cancels it, the second ends the process."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from vaportrail.cli.exit_codes import EXIT_CANCELLED
from vaportrail.execution.run_cancellation import Cancellation

__all__ = ["cancelling"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cancelling(
    at_once: str = "stopped at once; what there is can be sealed with: vaportrail seal",
    last_act: Callable[[], None] = lambda: None,
    early: Sequence[int] = (),
) -> Iterator[Cancellation]:
    """Cancel the run at the first SIGINT, SIGTERM or SIGHUP, end the process at the second.

    A signal that is ignored when this begins stays so: `nohup` and a shell's `&` mean it.

    Args:
        at_once: what is said at the second.
        last_act: what is done then, before the process ends.
        early: signals that were heard before this.
    """
    cancellation, heard = Cancellation(), 0

    def hear(_signum: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            try:
                _tell(at_once)
                last_act()
            finally:  # whatever hinders the last act
                os._exit(EXIT_CANCELLED)
        _tell("cancelling the run; once more stops at once")
        cancellation.request()

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in heeded}
    try:
        if early:
            hear(early[0], None)
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that hung up hears nothing, and the run is sealed
        os.write(2, f"{line}\n".encode())
