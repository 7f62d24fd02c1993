"""The packed files of a record: lines in gzip files of a bounded size, the same bytes of the same lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["Segments"]

SEGMENT_BYTES: Final = 60 * 2**20
"""A segment is closed at the first line past this size, and before one that could bring it over 64 MiB."""
SEGMENT_LIMIT: Final = 64 * 2**20 - 2**20
"""What the packer still holds back comes on top."""
UNPACKED_BYTES: Final = 2**30
"""A segment is closed at the first line past this size of its text: a reader takes no more than 4 GiB."""
_GZIP_LEVEL: Final = 6


class Segments:
    """Writes lines into gzip files, one series a name, and says which files are full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[Path, BinaryIO, gzip.GzipFile]] = {}
        self._sizes: dict[str, int] = {}
        self._number: dict[str, int] = {}

    def write(self, name: str, line: bytes) -> Iterator[Path]:
        """Append a line; yield the files that it filled, if it did."""
        if name in self._open and self._open[name][1].tell() + len(line) > SEGMENT_LIMIT:
            yield self._end(name)
        if name not in self._open:
            self._open[name] = self._begin(name)
        _, raw, packed = self._open[name]
        packed.write(line)
        self._sizes[name] = self._sizes.get(name, 0) + len(line)
        if raw.tell() >= SEGMENT_BYTES or self._sizes[name] >= UNPACKED_BYTES:
            yield self._end(name)

    def finish(self) -> Iterator[Path]:
        """Finish what is open; yield the files in the order of their names."""
        for name in sorted(self._open):
            yield self._end(name)

    def close(self) -> None:
        """Close what is open; nothing more comes of it."""
        for name in list(self._open):
            self._end(name)

    def _begin(self, name: str) -> tuple[Path, BinaryIO, gzip.GzipFile]:
        self._number[name] = self._number.get(name, 0) + 1
        path = self._folder / f"{name}-{self._number[name]:04d}.jsonl.gz"
        raw = path.open("wb")
        return path, raw, gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0)

    def _end(self, name: str) -> Path:
        self._sizes.pop(name, None)
        path, raw, packed = self._open.pop(name)
        packed.close()
        raw.close()
        return path
