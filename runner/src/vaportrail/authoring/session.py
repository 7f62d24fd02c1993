"""Which run the pipeline's body in this process belongs to, if any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vaportrail.authoring.handle import Session

__all__ = ["current", "entered"]

_current: Session | None = None


def current() -> Session | None:
    """Return the run whose pipeline body is running, or None."""
    return _current


@contextmanager
def entered(session: Session) -> Iterator[None]:
    """Make `session` the current run for the length of a pipeline's body."""
    global _current
    if _current is not None:
        raise RuntimeError("a pipeline cannot be run from within another one's run; call it instead")
    _current = session
    try:
        yield
    finally:
        _current = None
