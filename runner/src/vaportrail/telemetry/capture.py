"""What a process prints, line by line, tied to the attempt that printed it.

Output goes to append-only files in the spool, so that it survives the process (a pipe with a reader
can deadlock, and loses what is in it at a SIGKILL). A thread turns what has arrived into log
records; the sealer does the same with what it had no time for.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vaportrail.errors import SpoolError
from vaportrail.telemetry.attempt_scope import attempt_scope
from vaportrail.telemetry.left_output import LeftOutput
from vaportrail.telemetry.output import (
    SEVERITY,
    SUFFIX,
    Line,
    Stream,
    is_ray_mark,
    is_ray_progress,
    line_values,
    split_lines,
)
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Capture", "OutputFiles"]

_FD: Final[dict[Stream, int]] = {"stdout": 1, "stderr": 2}
_PERIOD: Final = 0.2
_PIECE: Final = 1 << 20
"""Bytes of output that are read at once, where no secret is longer."""
_FRAME_PERIODS: Final = 25
"""Periods after which the state of a line that overwrites itself is recorded, although it has no end."""


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
        for stream, suffix in SUFFIX.items():
            path = Path(recorder.settings.spool) / f"{recorder.writer.header.writer}.{suffix}"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.write[stream] = os.open(path, flags, 0o600)
            self._read[stream] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._pid = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="vaportrail-capture", daemon=True)

    def follow(self) -> None:
        """Begin to turn what arrives into log records."""
        self._thread.start()

    def drain(self, *, final: bool = True, frames: bool = False) -> None:
        """Turn all that has arrived into log records.

        Args:
            final: take a last line without its end, too.
            frames: take the state of a last line that overwrites itself.
        """
        with self._lock:
            for stream, fd in self._read.items():
                self._drain(stream, fd, final, frames)

    def _drain(self, stream: Stream, fd: int, final: bool, frames: bool) -> None:
        size, piece = os.fstat(fd).st_size, _PIECE
        while (left := size - (done := self._done[stream])) > 0:
            raw, last = os.pread(fd, min(left, piece), done), left <= piece
            self._take(stream, raw, final and last, frames and last)
            if last:
                return
            if self._done[stream] == done:
                piece *= 2

    def _take(self, stream: Stream, raw: bytes, final: bool, frames: bool) -> None:
        secrets = self._recorder.writer.redact
        for line in split_lines(raw, self._done[stream], final=final, frames=frames, secrets=secrets):
            self._done[stream] = line.end
            if self._is_users(line):
                severity, values = SEVERITY[stream], line_values(stream, line)
                self._recorder.log(line.text, scope=stream, severity=severity, values=values)

    def _is_users(self, line: Line) -> bool:
        return True

    def _follow(self) -> None:
        period = 0
        while not self._stop.wait(_PERIOD):
            if os.getpid() != self._pid:
                return
            period += 1
            # A line that could not be written is counted as lost; the next may be written again.
            with suppress(OSError, SpoolError):
                self.drain(final=False, frames=period % _FRAME_PERIODS == 0)

    def close(self) -> None:
        """Stop following, record what had arrived, and close the files."""
        self._stop.set()
        self._thread.join()
        try:
            self.drain()
        finally:
            for fd in (*self.write.values(), *self._read.values()):
                os.close(fd)


class Capture(OutputFiles):
    """Turns this process's stdout and stderr onto files in the spool, for the process's life.

    File descriptors 1 and 2 themselves are turned: C code and child processes are captured as well.

    Args:
        recorder: writes the lines; its writer's name names the files.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._files: dict[Stream, Any] = {stream: getattr(sys, stream) for stream in SUFFIX}
        self._left = LeftOutput(recorder)
        self.turn()
        self.follow()

    def turn(self) -> None:
        """Turn the descriptors and `sys.stdout` and `sys.stderr` onto the files, whatever they were before.

        What user code had put there instead is flushed, and forgotten.
        """
        self._flush()
        for stream, fd in self.write.items():
            os.dup2(fd, _FD[stream])
            file = self._files[stream]
            if file is None or file.closed:
                raw = io.FileIO(_FD[stream], "w", closefd=False)
                file = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
                self._files[stream] = file
            setattr(sys, stream, file)

    def divert(self) -> None:
        """Record from now on what threads print that outlived their attempt as that attempt's."""
        for stream, file in self._files.items():
            self._left.divert(stream, file)

    def offsets(self) -> dict[Stream, int]:
        """Return how many bytes of each stream have become log records: all that have arrived.

        What comes after them belongs to the attempt that asks.
        """
        self.drain()
        return dict(self._done)

    def drain(self, *, final: bool = True, frames: bool = False) -> None:
        if final:
            self._flush()
        if final or frames:
            self._left.flush()
        super().drain(final=final, frames=frames)

    def _flush(self) -> None:
        """Let what is buffered go out; a stream that cannot is no fault of the task's."""
        for file in (sys.stdout, sys.stderr, *self._files.values()):
            with suppress(Exception):
                file.flush()

    def _is_users(self, line: Line) -> bool:
        if is_ray_progress(line):
            return False
        return attempt_scope() is not None or not is_ray_mark(line)
