"""The log of a bundle: which of its attempts have begun, and how those ended whose reports may not arrive.

Its worker and the runner append to one file of this machine. What stands in it first counts, and it outlives
both. So a worker that is killed leaves no doubt about what it had begun, and what the runner has taken back
before it began never begins.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["BundleLog", "Seen", "make_bundle_log", "read_bundle_log", "take_back"]

_BEGUN: Final = b"b"
_ENDED: Final = b"e"
_TAKEN_BACK: Final = b"r"
_HEAD: Final = struct.Struct("<cHI")
"""What it is, the attempt's number, and how many bytes follow."""


class Seen(NamedTuple):
    """What a log says.

    Attributes:
        begun: how many attempts have begun.
        ended: how those did that have ended, by their numbers.
    """

    begun: int
    ended: Mapping[int, bytes]


def make_bundle_log(path: str) -> None:
    """Make an empty log, before its bundle is handed over."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


class BundleLog:
    """The worker's hand on a log; what it raises is an `OSError`: the log is gone, or the disk full."""

    def __init__(self, path: str) -> None:
        # Not made here: where the runner has removed it nothing is to begin.
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._bytes = os.fstat(self._file).st_size
        self._open = self._bytes == 0

    def begin(self, number: int) -> bool:
        """Write that an attempt begins; return whether it may: not where it was taken back before."""
        if not self._open:
            return False
        self._append(_HEAD.pack(_BEGUN, number, 0))
        if os.fstat(self._file).st_size != self._bytes:  # somebody wrote, before this line or after it
            self._open = False
            return _seen(os.pread(self._file, 1 << 30, 0)).begun > number
        return True

    def ended(self, number: int, raw: bytes) -> None:
        """Write how an attempt ended, as its runner is told."""
        self._append(_HEAD.pack(_ENDED, number, len(raw)) + raw)

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        if os.write(self._file, line) != len(line):
            raise OSError("the disk is full")
        self._bytes += len(line)


def read_bundle_log(path: str) -> Seen:
    """Return what a log says; nothing has begun where there is none."""
    try:
        return _seen(Path(path).read_bytes())
    except FileNotFoundError:
        return Seen(0, {})


def take_back(path: str) -> Seen:
    """Let no further attempt of a bundle begin; return which have begun."""
    with suppress(FileNotFoundError):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            if os.write(file, _HEAD.pack(_TAKEN_BACK, 0, 0)) != _HEAD.size:
                raise OSError("the disk is full")
        finally:
            os.close(file)
    return read_bundle_log(path)


def _seen(raw: bytes) -> Seen:
    begun, taken_back, at = 0, False, 0
    ended: dict[int, bytes] = {}
    while at + _HEAD.size <= len(raw):
        what, number, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size + length
        if at > len(raw):  # its writer was killed at this line
            break
        if what == _TAKEN_BACK:
            taken_back = True
        elif what == _BEGUN and not taken_back:
            begun = number + 1
        elif what == _ENDED:
            ended[number] = raw[at - length : at]
    return Seen(begun, ended)
