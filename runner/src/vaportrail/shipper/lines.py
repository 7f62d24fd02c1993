"""The lines of a spool file that grows, and of which a shipper can only hold so much at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["LINE_LIMIT", "Readable", "SpoolLines"]

LINE_LIMIT: Final = 16 << 20
"""Bytes of a line. A longer one is passed over: on its way it is held several times."""
_PIECE: Final = 1 << 20


class Readable(Protocol):
    """Files that can be read."""

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of a file from `offset` on; empty where there is nothing."""
        ...


class SpoolLines:
    """Reads on in one file.

    Args:
        path: of the file.
        files: reads it.
        offset: where the next line begins.
        passed_over: told why, of each line that is too long.
    """

    __slots__ = ("_files", "_passed_over", "_path", "offset")

    def __init__(self, path: str, files: Readable, offset: int, passed_over: Callable[[str], None]) -> None:
        self._path, self._files, self._passed_over = path, files, passed_over
        self.offset = offset
        """Bytes of the file before the next line."""

    def next(self, size: int) -> bytes:
        """Return the next whole lines: about `size` bytes, at least one line; empty where there is none."""
        asked = size
        while True:
            raw = self._files.read(self._path, self.offset, size)
            if raw.startswith(b"\0"):
                # Released, though the newest mark was lost with the machine.
                self.offset += len(raw) - len(raw.lstrip(b"\0"))
                continue
            # A line that needs more than was asked for comes alone.
            end = (raw.rfind(b"\n") if size == asked else raw.find(b"\n")) + 1
            if end or len(raw) < size:
                self.offset += end
                return raw[:end]
            if size < LINE_LIMIT:
                size = min(2 * size, LINE_LIMIT)
            else:
                self._pass_over()
                size = asked

    def _pass_over(self) -> None:
        """Leave out a line, as far as it is there: what comes of it later is no whole line.

        Its process has counted it, so that it is known to be lost.
        """
        while raw := self._files.read(self._path, self.offset, _PIECE):
            end = raw.find(b"\n") + 1
            self.offset += end or len(raw)
            if end:
                break
        self._passed_over(f"a record is larger than {LINE_LIMIT >> 20} MiB")

    def left(self) -> int:
        """Return how many bytes follow."""
        seen = 0
        while piece := self._files.read(self._path, self.offset + seen, _PIECE):
            seen += len(piece)
        return seen
