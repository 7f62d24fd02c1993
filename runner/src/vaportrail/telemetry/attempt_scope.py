"""Which attempt this process is working for, or which a thread of it that was handed on.

Ray runs one attempt at a time in a worker, so the attempt is the process's, not a thread's: threads
that user code starts log into the attempt without any set-up. Those that outlive it stay its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.left_threads import left_by

__all__ = ["AttemptScope", "acting_for", "attempt_scope", "run_settings", "set_attempt_scope"]


class AttemptScope(NamedTuple):
    """The attempt, or the notebook cell within it, that what is logged now belongs to."""

    task_id: str
    task_name: str
    attempt: int
    span_id: str
    deadline_unix_nano: int | None = None
    scratch: str = ""

    def fields(self) -> dict[str, str | int | None]:
        """Return its fields by name, as they are."""
        return self._asdict()


_acting_for: ContextVar[AttemptScope | None] = ContextVar("vaportrail_acting_for", default=None)
_scope: AttemptScope | None = None
_settings: RunSettings | None = None


def attempt_scope() -> AttemptScope | None:
    """Return the attempt that the calling thread works for, or None outside one."""
    return _acting_for.get() or left_by() or _scope


def set_attempt_scope(scope: AttemptScope | None, settings: RunSettings | None = None) -> None:
    """Say which attempt this process works for from now on."""
    global _scope, _settings
    _scope = scope
    if settings is not None:
        _settings = settings


def run_settings() -> RunSettings | None:
    """Return the run that the process's last attempt belongs to."""
    return _settings


@contextmanager
def acting_for(scope: AttemptScope | None) -> Iterator[None]:
    """Let the calling thread work for an attempt for the length of the block."""
    token = _acting_for.set(scope)
    try:
        yield
    finally:
        _acting_for.reset(token)
