"""What lies in a folder that is a store: listed and measured without opening or following anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["below", "files", "folders", "regular_size"]


def below(path: str) -> str:
    """Return a path as a folder takes it, as all stores do: it never leads out."""
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no path within a store")
    return path


def files(root: Path, top: Path) -> Iterator[tuple[str, int]]:
    """Yield path below `root` and size of all below `top` that is no folder; no link is followed."""
    if any(part.is_symlink() for part in (top, *top.parents) if part != root and root in part.parents):
        return
    for folder, inner, names in os.walk(top):
        links = [name for name in inner if (Path(folder) / name).is_symlink()]
        for name in [*names, *links]:
            path = Path(folder) / name
            # Others write here at the same time, under names that go as they are done.
            try:
                size = path.lstat().st_size
            except FileNotFoundError:
                continue
            yield path.relative_to(root).as_posix(), size


def folders(folder: Path) -> list[str]:
    """Return the names of the folders directly in a folder, whatever they are; none where it is not there."""
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found if entry.is_dir()]
    except FileNotFoundError:
        return []


def regular_size(path: Path) -> int | None:
    """Return the size of a regular file; None where something else stands.

    Raises:
        FileNotFoundError: there is nothing.
    """
    try:
        found = path.lstat()
    except NotADirectoryError:
        return None
    # obstore would open a pipe, and wait for ever.
    return found.st_size if stat.S_ISREG(found.st_mode) else None
