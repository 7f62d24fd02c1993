"""A lock that says that this process lives: what it forks does not hold it on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

__all__ = ["locked"]

_held: Final[list[TextIO]] = []


@contextmanager
def locked(file: TextIO, operation: int) -> Iterator[None]:
    """Lock a file for the block, for this process alone: a lock of `flock` is its children's, too.

    Args:
        file: what is locked; it stays open.
        operation: `fcntl.LOCK_EX` or `fcntl.LOCK_SH`.
    """
    fcntl.flock(file, operation)
    _held.append(file)
    try:
        yield
    finally:
        if not file.closed:  # in a child it is, and the lock its parent's
            _held.remove(file)
            fcntl.flock(file, fcntl.LOCK_UN)


def _let_go() -> None:
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
