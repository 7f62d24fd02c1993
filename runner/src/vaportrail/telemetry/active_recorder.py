"""Which recorder this process has: one at most, made where its run begins or where its parent is found."""

from __future__ import annotations

import os
from pathlib import Path

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import SpoolError
from vaportrail.telemetry.children import adopt, is_child
from vaportrail.telemetry.recorder import Recorder, Role

__all__ = ["active", "install", "uninstall"]

_active: Recorder | None = None


def active() -> Recorder | None:
    """Return this process's recorder, or None outside a run.

    A child of a run's process gets a writer of its own: two processes never share a sequence of numbers.
    """
    global _active
    if _active is None and is_child():
        settings = adopt()
        _active = None if settings is None else _child(settings)
    elif _active is not None and _active.writer.pid != os.getpid():
        _active = _child(_active.settings)
    return _active


def _child(settings: RunSettings) -> Recorder | None:
    """Return a recorder for a child process; None where the run is sealed, and its spool gone."""
    try:
        return Recorder(settings, "child")
    except SpoolError:
        if Path(settings.spool).is_dir():
            raise
        return None


def install(settings: RunSettings, role: Role) -> Recorder:
    """Make (or find) this process's recorder for the run."""
    global _active
    current = active() if _active is not None else None
    if current is None or current.settings.identity.uid != settings.identity.uid:
        current = _active = Recorder(settings, role)
    return current


def uninstall() -> None:
    """Forget this process's recorder; its files are closed and stay."""
    global _active
    if _active is not None:
        _active.writer.close()
        _active = None
