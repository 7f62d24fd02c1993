"""What a kernel's cells, and programs that they start, print: read from files as it arrives there.

Files outlive the kernel, whatever ends it. What its sockets carry is only shown: a message may be late,
be of a cell that is over, or never be sent.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vaportrail.telemetry.output import Stream

__all__ = ["DESCRIPTORS", "PRINTED_FILES", "FollowedFiles", "own_output"]

DESCRIPTORS: Final[Mapping[Stream, int]] = {"stdout": 1, "stderr": 2}
PRINTED_FILES: Final[Mapping[Stream, str]] = {"stdout": "printed.stdout", "stderr": "printed.stderr"}
"""In a kernel's folder: what its cells print through `sys.stdout` and `sys.stderr`."""
_PIECE: Final = 1 << 20


class FollowedFiles:
    """Reads what is appended to files from now on. Close it in the end.

    Args:
        paths: of the files, by stream.
    """

    def __init__(self, paths: Mapping[Stream, str | Path]) -> None:
        self._files: dict[Stream, int] = {}
        self._read: dict[Stream, int] = {}
        for stream, path in paths.items():
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._files[stream], self._read[stream] = file, os.fstat(file).st_size
        self._decoders = {
            stream: codecs.getincrementaldecoder("utf-8")("backslashreplace") for stream in self._files
        }

    def arrived(self) -> Iterator[tuple[Stream, str]]:
        """Yield what has arrived since the last call, in pieces."""
        for stream, file in self._files.items():
            end = os.fstat(file).st_size
            while self._read[stream] < end:
                raw = os.pread(file, min(_PIECE, end - self._read[stream]), self._read[stream])
                if not raw:  # somebody has cut the file
                    break
                self._read[stream] += len(raw)
                if text := self._decoders[stream].decode(raw):
                    yield stream, text

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
