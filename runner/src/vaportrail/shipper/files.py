"""The spools of a pod on disk: read, and made smaller by what is stored."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["SpoolFolder"]

_BLOCK: Final = 4096
_KEEP_SIZE_PUNCH_HOLE: Final = 0x01 | 0x02
_libc = ctypes.CDLL(None, use_errno=True)


class SpoolFolder:
    """The files of a pod's processes, `<folder>/<run uid>/<writer>.*`.

    User code may write there, too: what is no regular file is as if it were not there.
    """

    def __init__(self, folder: Path) -> None:
        # As text: each look asks for each file.
        self._folder = os.fspath(folder)

    def writers(self) -> list[str]:
        """Return the paths of all `.spool` files without their ending, sorted."""
        return sorted(
            f"{run.name}/{file.name.removesuffix('.spool')}"
            for run in _entries(self._folder)
            if run.is_dir(follow_symlinks=False)
            for file in _entries(run.path)
            if file.name.endswith(".spool") and file.is_file(follow_symlinks=False)
        )

    def size(self, path: str) -> int:
        """Return how long a file is, what was released of it included; 0 where there is none."""
        try:
            found = os.stat(f"{self._folder}/{path}", follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of a file from `offset` on; empty where there is nothing."""
        try:
            fd = self._open(path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(fd, size, offset)
        finally:
            os.close(fd)

    def keep(self, path: str, raw: bytes) -> None:
        """Write the start of a small file.

        In place: that needs no space on a disk that is full, and a page is written whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        fd = self._open(path, os.O_WRONLY | os.O_CREAT)
        try:
            if os.pwrite(fd, raw, 0) < len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        finally:
            os.close(fd)

    def release(self, path: str, start: int, end: int) -> None:
        """Give whole blocks between two places of a file back to the disk; they read as zeros then.

        The file keeps its size, so that who appends to it goes on.

        Raises:
            OSError: the file system cannot do it.
        """
        start, end = -(-start // _BLOCK) * _BLOCK, end // _BLOCK * _BLOCK
        if end <= start:
            return
        fd = self._open(path, os.O_WRONLY)
        try:
            size = ctypes.c_int64(end - start)
            if _libc.fallocate(fd, _KEEP_SIZE_PUNCH_HOLE, ctypes.c_int64(start), size):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), path)
        finally:
            os.close(fd)

    def _open(self, path: str, flags: int) -> int:
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            fd = os.open(f"{self._folder}/{path}", flags, 0o600)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENOTDIR):
                raise FileNotFoundError(errno.ENOENT, "no regular file", path) from None
            raise
        # What is written goes nowhere else either: a link is not followed, nor a pipe waited for.
        if not flags & os.O_WRONLY and not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "no regular file", path)
        return fd


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []
