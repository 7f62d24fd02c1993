"""Disk space that a run keeps for its last words, so that on a full disk its record still says why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["Reserve"]

_PIECES: Final = ("ends.reserve", "verdict.reserve")
_SIZE: Final = 128 * 1024


class Reserve:
    """Files in the spool that hold space and nothing else, given back one after the other.

    Args:
        folder: the spool. Where it has no room for them the run begins all the same.
    """

    def __init__(self, folder: Path) -> None:
        self._pieces: list[Path] = []
        for name in _PIECES:
            try:
                fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:
                return
            self._pieces.append(folder / name)
            try:
                os.posix_fallocate(fd, 0, _SIZE)
            except OSError:
                return
            finally:
                os.close(fd)

    def release(self) -> None:
        """Give the next piece back to the disk."""
        if self._pieces:
            self._pieces.pop(0).unlink(missing_ok=True)

    def close(self) -> None:
        """Give all of it back."""
        while self._pieces:
            self.release()
