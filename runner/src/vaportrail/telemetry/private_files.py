"""Files that a run's processes hand each other: written for their user alone, read from nobody else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vaportrail.errors import UsageError

__all__ = ["append_private", "read_private", "write_private"]

_SAFE = os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only this user can read; one that is there is replaced, never written through."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600), "wb") as file:
        file.write(data)
    partial.replace(path)


def append_private(path: Path, data: bytes) -> None:
    """Append to a file that only this user can read.

    Raises:
        UsageError: the file is another user's, or none.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _SAFE, 0o600)
    with os.fdopen(fd, "ab") as file:  # a folder was refused by `open` already
        _check_own(fd, path)
        file.write(data)


def read_private(path: Path) -> bytes:
    """Return what a process of the same user wrote.

    Raises:
        FileNotFoundError: there is none.
        UsageError: it is another user's, a link, or no file: what is in it is not to be believed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _SAFE)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"{path} is not read: {error.strerror}") from error
    try:
        _check_own(fd, path)
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def _check_own(fd: int, path: Path) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise UsageError(f"{path} is not read or written: it is another user's, or no regular file")
