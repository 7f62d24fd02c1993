"""Where a process's output goes: append-only files in the spool, and log records of what has arrived there.

Files survive the process: a pipe with a reader can deadlock, and loses what is in it at a SIGKILL. A
thread turns what has arrived into log records; the sealer does the same with what it had no time for.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from vaportrail.errors import SpoolError
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.output import SEVERITY, SUFFIX, Stream, block_values
from vaportrail.telemetry.output_blocks import is_passed_over, split_blocks
from vaportrail.telemetry.recorder import Recorder

__all__ = ["OutputFiles", "make_output_file"]

_PERIOD: Final = 0.2
_PIECE: Final = 1 << 20
"""Bytes of output that are read at once, where no secret is longer."""
_FRAME_PERIODS: Final = 25
"""Periods after which the state of a line that overwrites itself is recorded, although it has no end."""


def make_output_file(recorder: Recorder, stream: Stream) -> tuple[Path, int]:
    """Make the file of a stream that is called as a recorder's writer is; return it, open to append."""
    path = recorder.writer.directory / f"{recorder.writer.header.writer}.{SUFFIX[stream]}"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return path, os.open(path, flags, 0o600)


class OutputFiles:
    """A process's two files of output, and the thread that turns what arrives in them into log records.

    Args:
        recorder: writes the lines; its writer's name names the files.

    Attributes:
        write: descriptors that append to the files.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._done: dict[Stream, int] = {"stdout": 0, "stderr": 0}
        self._read: dict[Stream, int] = {}
        self.write: dict[Stream, int] = {}
        for stream in SUFFIX:
            path, self.write[stream] = make_output_file(recorder, stream)
            self._read[stream] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._pid = os.getpid()
        self._wake, self._passed = threading.Event(), threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._follow, name="vaportrail-capture", daemon=True)

    def follow(self) -> None:
        """Begin to turn what arrives into log records."""
        self._thread.start()

    def drain(self, *, final: bool = True, frames: bool = False, seconds: float = inf) -> bool:
        """Turn all that has arrived into log records; return whether there was time for all of it.

        Args:
            final: take a last line without its end, too.
            frames: take the state of a last line that overwrites itself.
            seconds: how long it may take, about.
        """
        limit = time.monotonic() + seconds
        return all(self._drain(stream, final, frames, limit) for stream in self._read)

    def _drain(self, stream: Stream, final: bool, frames: bool, limit: float) -> bool:
        fd = self._read[stream]
        size, piece = _size(fd), _PIECE
        while True:
            # A piece at a time: who wants it for a moment shall not wait for all there is.
            with self._lock:
                done = self._done[stream]
                if done >= size:
                    return True
                if time.monotonic() > limit:
                    return False
                owner, end = self._owner(stream)
                stop = min(size, end)
                raw, last = os.pread(fd, min(stop - done, piece), done), stop - done <= piece
                ends = last and (final or stop == end)
                self._take(stream, raw, owner, final=ends, frames=frames and last, waiting=not last)
                if last and stop == size:
                    return True
                if self._done[stream] == done:
                    piece *= 2

    def _take(
        self,
        stream: Stream,
        raw: bytes,
        owner: AttemptScope | None,
        *,
        final: bool,
        frames: bool,
        waiting: bool,
    ) -> None:
        passed_over = self._passed_over(owner)
        if is_passed_over(raw, passed_over):
            self._done[stream] += len(raw)
            return
        blocks = split_blocks(
            raw,
            self._done[stream],
            final=final,
            waiting=waiting,
            frames=frames,
            secrets=self._recorder.writer.redact,
            passed_over=passed_over,
        )
        for block in blocks:
            self._done[stream] = block.end
            if block.text is not None:
                severity, values = SEVERITY[stream], block_values(stream, block)
                self._recorder.log(block.text, scope=stream, severity=severity, values=values, attempt=owner)

    def sizes(self) -> dict[Stream, int]:
        """Return how many bytes of each stream have arrived."""
        return {stream: _size(fd) for stream, fd in self._read.items()}

    def catch_up(self, seconds: float) -> None:
        """Wait, for so long at most, until the thread has only a piece left to record.

        What a signal raises meanwhile disturbs no record: it is another thread that makes them.
        """
        limit = time.monotonic() + seconds
        while self._behind() > _PIECE and (left := limit - time.monotonic()) > 0:
            self._passed.clear()
            self._wake.set()
            self._passed.wait(left)

    def _behind(self) -> int:
        return sum(size - self._done[stream] for stream, size in self.sizes().items())

    def _owner(self, _stream: Stream) -> tuple[AttemptScope | None, int]:
        """Return whose what comes next is, where not the running attempt's, and the offset of its end."""
        return None, sys.maxsize

    def _passed_over(self, _owner: AttemptScope | None) -> tuple[str, ...]:
        """Return how lines begin that are nobody's."""
        return ()

    def _follow(self) -> None:
        periods = 0
        while not self._stopped:
            asked = self._wake.wait(_PERIOD)
            self._wake.clear()
            periods += not asked
            if self._stopped or os.getpid() != self._pid:
                return
            # A block that could not be written is counted as lost; the next may be written again.
            with suppress(OSError, SpoolError):
                self.drain(final=False, frames=not asked and periods % _FRAME_PERIODS == 0)
            self._passed.set()

    def close(self) -> None:
        """Stop following, record what had arrived, and close the files."""
        self._stopped = True
        self._wake.set()
        self._thread.join()
        try:
            self.drain()
        finally:
            for fd in (*self.write.values(), *self._read.values()):
                os.close(fd)


def _size(fd: int) -> int:
    # Nobody reads from where this leaves the file; to make a whole `os.fstat` takes several times as long.
    return os.lseek(fd, 0, os.SEEK_END)
