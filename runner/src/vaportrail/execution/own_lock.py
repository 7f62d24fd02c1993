"""A lock that says that this process lives: what it forks does not hold it on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TextIO

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import SpoolError
from vaportrail.storage import layout
from vaportrail.storage.private import folder_below

__all__ = ["alive", "locked"]

_held: Final[list[TextIO]] = []
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


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


@contextmanager
def alive(settings: RunSettings) -> Iterator[None]:
    """Hold the lock that says the runner lives, beside the file that says what it runs."""
    with ExitStack() as held:
        try:
            _hold(settings, held)
        except OSError as error:
            raise SpoolError(settings.spool, error.strerror or str(error)) from error
        yield


def _for_oneself(path: str | Path, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _hold(settings: RunSettings, held: ExitStack) -> None:
    spool = Path(settings.spool)
    if Path(settings.root) == spool.parents[1]:
        folder_below(spool.parents[1], spool.parent.name)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = held.enter_context(os.fdopen(_for_oneself(spool / layout.LOCK, _WRITE), "w"))
    # Others hold it no longer than a look takes.
    held.enter_context(locked(lock, fcntl.LOCK_EX))
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    # Last, and whole at once: who finds it finds a run that is alive.
    aside = spool / f"{layout.RUN_FILE}.new"
    with open(aside, "w", opener=_for_oneself) as file:
        file.write(settings.to_json())
    aside.rename(spool / layout.RUN_FILE)


def _let_go() -> None:
    for file in _held:
        file.close()
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
