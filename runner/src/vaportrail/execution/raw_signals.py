"""Signals as the interpreter has them: `signal` makes members of enumerations of all that it returns.

That takes many times as long as what is asked for. A handler is SIG_DFL or SIG_IGN as an integer, a
callable, or None: one that Python did not set.
"""

from __future__ import annotations

import signal as _named
from typing import Any

__all__ = ["getsignal", "pthread_sigmask", "signal"]

_raw: Any = _named._signal  # type: ignore[attr-defined]
getsignal: Any = _raw.getsignal
pthread_sigmask: Any = _raw.pthread_sigmask
signal: Any = _raw.signal
