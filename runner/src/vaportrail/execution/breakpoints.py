"""`breakpoint()` in a task: Ray would open a port for a debugger and wait for it for ever."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["refuse_breakpoints"]


def refuse_breakpoints() -> None:
    """Let `breakpoint()` raise in this process from now on, and in its children act as Python's own."""
    os.environ.pop("PYTHONBREAKPOINT", None)
    sys.breakpointhook = _refuse


def _refuse(*_args: Any, **_keywords: Any) -> None:
    raise RuntimeError(
        "breakpoint() cannot be used in a task of a run: nobody can type there; "
        "to debug a task, call it outside of a run, where it is the plain function"
    )
