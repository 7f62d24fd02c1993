"""Folders that are this user's alone, whatever the umask is and whoever was there first."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["folder_below", "open_folder", "private_folder"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def private_folder(path: Path) -> Path:
    """Make a folder with mode 0700, or take one that is there and is so already; return it.

    Raises:
        PermissionError: what is there is no folder, is another user's, or is open to others.

    Example:
        >>> import tempfile
        >>> oct(private_folder(Path(tempfile.mkdtemp()) / "mine").stat().st_mode & 0o777)
        '0o700'
    """
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        pass
    found = path.lstat()
    problem = ""
    if not stat.S_ISDIR(found.st_mode):
        problem = "it is there already and is no folder"
    elif found.st_uid != os.geteuid():
        problem = f"it is there already and belongs to user {found.st_uid}"
    elif stat.S_IMODE(found.st_mode) & 0o077:
        problem = f"it is there already and open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    if problem:
        raise PermissionError(
            f"folder {str(path)!r} is to hold what only this user may read and write, but {problem}; "
            "remove it, or set TMPDIR to a folder of your own"
        )
    return path


def open_folder(path: Path) -> None:
    """Give a folder of mode 0700 the mode that the process's umask gives new folders."""
    umask = os.umask(0o077)  # the only way to ask; strict meanwhile
    os.umask(umask)
    fd = os.open(path, _FOLDER)
    try:
        os.fchmod(fd, 0o777 & ~umask)
    finally:
        os.close(fd)


def folder_below(root: Path, path: str) -> Path:
    """Make the folders of `path` below `root`, where they are missing, and return the last one.

    The root may be a link. Below it no link is followed: it may lead out. What is made, and others may
    write to, has the sticky bit: they add to it, and replace nothing that is not theirs.

    Raises:
        OSError: one of them is a link or no folder, or it cannot be made.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> folder_below(root, "runs/p") == root / "runs" / "p"
        True
    """
    there = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    place, fd = root, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not there:
            _stick(fd)
        for name in path.split("/"):
            place /= name
            made = False
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
                made = True
            try:
                inner = os.open(name, _FOLDER, dir_fd=fd)
            except NotADirectoryError:
                raise OSError(
                    errno.ENOTDIR, "a link or no folder stands there, remove it", str(place)
                ) from None
            os.close(fd)
            fd = inner
            if made:
                _stick(fd)
    finally:
        os.close(fd)
    return place


def _stick(fd: int) -> None:
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & 0o022:
        os.fchmod(fd, mode | stat.S_ISVTX)
