"""What is appended to files, such as output, read as it arrives there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vaportrail.telemetry.output import Stream

__all__ = ["DESCRIPTORS", "PIECE", "FollowedFiles", "own_output"]

DESCRIPTORS: Final[Mapping[Stream, int]] = {"stdout": 1, "stderr": 2}
PIECE: Final = 1 << 20
"""Bytes that are read at once."""


class FollowedFiles:
    """Reads what is appended to files from now on. Close it in the end.

    Args:
        paths: of the files, by stream.
    """

    def __init__(self, paths: Mapping[Stream, str | Path]) -> None:
        self._files: dict[Stream, int] = {}
        self._taken: dict[Stream, int] = {}
        for stream, path in paths.items():
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._files[stream], self._taken[stream] = file, os.fstat(file).st_size

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Of which there is a file."""
        return tuple(self._files)

    @property
    def taken(self) -> Mapping[Stream, int]:
        """How many bytes of each file were taken, or were there before."""
        return self._taken

    @property
    def all_taken(self) -> bool:
        """Whether nothing that is there was not taken yet."""
        return all(os.fstat(file).st_size == self._taken[stream] for stream, file in self._files.items())

    def look(self, stream: Stream, size: int = PIECE) -> bytes:
        """Return so many bytes at most of those that were not taken yet."""
        return os.pread(self._files[stream], size, self._taken[stream])

    def take(self, stream: Stream, size: int) -> None:
        """Pass over so many bytes: they are where they belong."""
        self._taken[stream] += size

    def pass_over(self) -> None:
        """Take all that is there now, unread."""
        self._taken = {stream: os.fstat(file).st_size for stream, file in self._files.items()}

    def take_all(self, stream: Stream) -> Iterator[bytes]:
        """Yield all that was not taken yet and is there now, in pieces."""
        end = os.fstat(self._files[stream]).st_size
        while (left := end - self._taken[stream]) > 0 and (raw := self.look(stream, min(left, PIECE))):
            self.take(stream, len(raw))
            yield raw

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()


def own_output() -> FollowedFiles:
    """Return what arrives in this process's own output: that of an attempt is in files."""
    regular = {
        stream: f"/proc/self/fd/{descriptor}"
        for stream, descriptor in DESCRIPTORS.items()
        if stat.S_ISREG(os.fstat(descriptor).st_mode)
    }
    return FollowedFiles(regular)
