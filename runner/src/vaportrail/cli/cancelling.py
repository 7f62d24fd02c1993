"""How a signal ends a run: the first cancels it, the second ends the process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from vaportrail.cli.exit_codes import EXIT_CANCELLED
from vaportrail.execution.run_cancellation import Cancellation

__all__ = ["cancelling"]


@contextmanager
def cancelling(
    at_once: str = "stopped at once; what there is can be sealed with: vaportrail seal",
    last_act: Callable[[], None] = lambda: None,
    early: Sequence[int] = (),
) -> Iterator[Cancellation]:
    """Cancel the run at the first SIGINT or SIGTERM, end the process at the second.

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
            os.write(2, f"{at_once}\n".encode())
            last_act()
            os._exit(EXIT_CANCELLED)
        os.write(2, b"cancelling the run; once more stops at once\n")
        cancellation.request()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if early:
            hear(early[0], None)
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
