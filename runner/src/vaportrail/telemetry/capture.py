"""What a process prints, line by line, tied to the attempt that printed it.

File descriptors 1 and 2 are turned onto append-only files in the spool: C code and child processes
are captured as well, and what was printed survives the process (a pipe with a reader can deadlock,
and loses what is in it at a SIGKILL). A thread turns what has arrived into log records; the sealer
does the same with what it had no time for.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vaportrail.telemetry.context import attempt_scope
from vaportrail.telemetry.output import SEVERITY, SUFFIX, Stream, is_ray_mark, line_values, split_lines
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Capture"]

_FD: Final[dict[Stream, int]] = {"stdout": 1, "stderr": 2}
_PERIOD: Final = 0.2


class Capture:
    """Turns this process's stdout and stderr onto files in the spool, for the process's life.

    Args:
        recorder: writes the lines; its writer's name names the files.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._done: dict[Stream, int] = {"stdout": 0, "stderr": 0}
        self._read: dict[Stream, int] = {}
        self._write: dict[Stream, int] = {}
        self._files: dict[Stream, Any] = {stream: getattr(sys, stream) for stream in SUFFIX}
        for stream, suffix in SUFFIX.items():
            path = Path(recorder.settings.spool) / f"{recorder.writer.header.writer}.{suffix}"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._write[stream] = os.open(path, flags, 0o600)
            self._read[stream] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.turn()
        self._pid = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="vaportrail-capture", daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Turn the descriptors and `sys.stdout` and `sys.stderr` onto the files, whatever they were before.

        What user code had put there instead is flushed, and forgotten.
        """
        self._flush()
        for stream, fd in self._write.items():
            os.dup2(fd, _FD[stream])
            file = self._files[stream]
            if file is None or file.closed:
                raw = io.FileIO(_FD[stream], "w", closefd=False)
                file = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
                self._files[stream] = file
            setattr(sys, stream, file)

    def offsets(self) -> dict[Stream, int]:
        """Return how many bytes of each stream have become log records: all that have arrived.

        What comes after them belongs to the attempt that asks.
        """
        self.drain()
        return dict(self._done)

    def drain(self, *, final: bool = True) -> None:
        """Turn all that has arrived into log records; `final` takes a last line without its end."""
        if final:
            self._flush()
        with self._lock:
            for stream, fd in self._read.items():
                size = os.fstat(fd).st_size
                if size > self._done[stream]:
                    self._take(stream, os.pread(fd, size - self._done[stream], self._done[stream]), final)

    def _flush(self) -> None:
        """Let what is buffered go out; a stream that cannot is no fault of the task's."""
        for file in (sys.stdout, sys.stderr, *self._files.values()):
            with suppress(Exception):
                file.flush()

    def _take(self, stream: Stream, raw: bytes, final: bool) -> None:
        for line in split_lines(raw, self._done[stream], final=final):
            self._done[stream] = line.end
            if attempt_scope() is not None or not is_ray_mark(line):
                severity, values = SEVERITY[stream], line_values(stream, line)
                self._recorder.log(line.text, scope=stream, severity=severity, values=values)

    def _follow(self) -> None:
        while not self._stop.wait(_PERIOD):
            if os.getpid() != self._pid:
                return
            self.drain(final=False)

    def close(self) -> None:
        """Stop following; what had arrived is recorded."""
        self._stop.set()
        self._thread.join()
        self.drain()
