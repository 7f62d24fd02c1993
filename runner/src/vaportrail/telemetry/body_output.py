"""What the pipeline's body prints: shown where it always was, and recorded.

Only `sys.stdout` and `sys.stderr` are wrapped: the descriptors below them are the terminal's, which
debuggers, progress bars and the display of the run need as it is.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from vaportrail.errors import SpoolError
from vaportrail.telemetry.output import SUFFIX
from vaportrail.telemetry.output_files import OutputFiles
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Sink", "Tee", "recorded_output"]


_FULL: Final = "what the pipeline's body printed, where the spool could take no more"


class Sink:
    """Where the bytes of a stream are recorded, until it is closed.

    Args:
        fd: appends to the file; closing it is left to who opened it.

    Attributes:
        missed: how many writes the disk refused.
    """

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd
        # A signal's handler may print while its thread prints.
        self._lock = threading.RLock()
        self.missed = 0

    def write(self, raw: bytes) -> None:
        """Record some bytes; a disk that refuses them is no fault of who prints."""
        with self._lock:
            try:
                while self._fd is not None and raw:
                    raw = raw[os.write(self._fd, raw) :]
            except OSError:
                self.missed += 1

    def close(self) -> None:
        """Record no more: the descriptor may soon be another file's."""
        with self._lock:
            self._fd = None


class Tee:
    """A stream whose text, and whose `buffer`'s bytes, are recorded as well; all else is the stream's own.

    A stream that can show no more (a terminal that is gone, a pipe that is closed) does not keep the
    text from being recorded, and is no fault of who prints.

    Args:
        shown: the stream; None where the process has none.
        sink: records it.
    """

    def __init__(self, shown: Any, sink: Sink) -> None:
        self._shown = shown
        self._sink = sink

    def write(self, text: Any) -> int:
        """Show and record some text (bytes, of a `buffer`); return its length."""
        if self._shown is not None:
            with suppress(OSError, ValueError):
                self._shown.write(text)
        self._sink.write(text.encode("utf-8", "backslashreplace") if isinstance(text, str) else bytes(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream."""
        if self._shown is not None:
            with suppress(OSError, ValueError):
                self._shown.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._shown is not None and bool(self._shown.isatty())

    @property
    def buffer(self) -> Tee:
        """The stream's bytes, recorded as well."""
        return Tee(self._shown.buffer, self._sink)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)


@contextmanager
def recorded_output(recorder: Recorder) -> Iterator[None]:
    """Record what this process prints in the block, as output of the pipeline's body.

    Afterwards `sys.stdout` and `sys.stderr` are what they were before.
    """
    files = OutputFiles(recorder)
    before = {stream: getattr(sys, stream) for stream in SUFFIX}
    sinks = {stream: Sink(fd) for stream, fd in files.write.items()}
    files.follow()
    for stream, shown in before.items():
        setattr(sys, stream, Tee(shown, sinks[stream]))
    try:
        yield
    finally:
        for stream, shown in before.items():
            with suppress(Exception):
                getattr(sys, stream).flush()
            setattr(sys, stream, shown)
            sinks[stream].close()
        # What could not be recorded of it is counted, and the sealer finds the rest in the files.
        with suppress(OSError, SpoolError):
            files.close()
        missed = sum(sink.missed for sink in sinks.values())
        if missed:
            with suppress(SpoolError):  # it is told again when the run ends
                recorder.not_captured(_FULL, missed)
