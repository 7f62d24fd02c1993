"""What a process forks ends at a signal: handlers of ours and of Ray's are for the parent alone.

Ray's workers take SIGTERM by an exception, and a run's signals cancel it. In a child that has just been
forked nobody hears such an exception: a pool that ends its processes would wait for one for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from functools import lru_cache
from typing import Any, Final

__all__ = ["signals_by_default_in_children"]

_DEFAULTS: Final[dict[signal.Signals, Any]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
"""How Python itself begins."""
_OWNERS: Final = ("ray.", "vaportrail.")
"""Whose handlers do not reach the child; the user's own do, as without us."""

_masks: Final = threading.local()


def _block() -> None:
    # What comes before the child has its handlers waits for them.
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEFAULTS)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _begin_anew() -> None:
    try:
        for number, default in _DEFAULTS.items():
            if str(getattr(signal.getsignal(number), "__module__", "")).startswith(_OWNERS):
                signal.signal(number, default)
    finally:
        _unblock()


@lru_cache(maxsize=1)
def signals_by_default_in_children() -> None:
    """Have children that this process forks from now on begin with Python's own handlers.

    Call it early: hooks that are registered later run after it, and may start threads and wait for them.
    """
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_begin_anew)
