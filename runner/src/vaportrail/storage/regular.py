"""Reading a folder's files as whoever may write to it wants them not to be: links, pipes, devices, folders.

Only a regular file is read. Everything else is refused at once: a pipe would never answer, and a link
leads to what its maker may not read and its reader may.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["hold", "open_lock", "open_regular", "read_pieces", "read_regular"]

_LOOK_SECONDS: Final = 0.5
_TRY_SECONDS: Final = 0.01


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read it.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: there is something else, or it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link, and only regular files are read") from None
        if error.errno in (errno.ENXIO, errno.ENOTDIR):
            raise _not_regular() from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_regular()
    return os.fdopen(fd, "rb")


def open_lock(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file that is locked, made where it is missing; what is in it stays.

    Raises:
        OSError: something else than a regular file stands there.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_regular()
    return os.fdopen(fd, "r+b", buffering=0)


def hold(lock: BinaryIO) -> None:
    """Lock a file for this process alone until it is closed.

    Who only looks whether it is locked holds it for a moment; that is waited for.

    Raises:
        BlockingIOError: another holds it.
    """
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_TRY_SECONDS)
        else:
            return


def _not_regular() -> OSError:
    return OSError("it is no regular file")


def read_regular(path: str | os.PathLike[str], limit: int | None = None) -> bytes:
    """Return all bytes of a regular file.

    Args:
        path: of the file.
        limit: bytes that it may have.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: there is something else, it has more bytes, or it cannot be read.
    """
    with open_regular(path) as file:
        raw = file.read() if limit is None else file.read(limit + 1)
    if limit is not None and len(raw) > limit:
        raise OSError(f"it has more than {limit} bytes, which no file of its kind has")
    return raw


def read_pieces(root: Path, path: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of a regular file below a folder in pieces of `size` bytes at most."""
    with open_regular(root / path) as file:
        while piece := file.read(size):
            yield piece
