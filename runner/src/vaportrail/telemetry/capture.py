"""What a worker prints, tied to the attempt that printed it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Final

from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope
from vaportrail.telemetry.left_output import LeftOutput
from vaportrail.telemetry.output import RAY_MARKS, RAY_PROGRESS, SUFFIX, Stream
from vaportrail.telemetry.output_files import OutputFiles
from vaportrail.telemetry.recorder import Recorder

__all__ = ["Capture"]

_FD: Final[dict[Stream, int]] = {"stdout": 1, "stderr": 2}
_PATIENCE: Final = 10.0
"""Seconds that an attempt's end waits for what it printed to be recorded; the rest is recorded after it."""


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
        self._left_over: tuple[AttemptScope, dict[Stream, int]] | None = None
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
            # Ray's own wrapper is none, and takes half as long again for each line.
            if not isinstance(file, io.TextIOBase) or file.closed:
                raw = io.FileIO(_FD[stream], "w", closefd=False)
                file = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
                self._files[stream] = file
            setattr(sys, stream, file)

    def offsets(self) -> dict[Stream, int]:
        """Return how many bytes of each stream have become log records: all that have arrived.

        What comes after them belongs to the attempt that asks.
        """
        self._pass_marks_over(False)
        self.drain()
        return dict(self._done)

    def keep_up(self) -> None:
        """Wait until nearly all that was printed is on record, at most for some seconds."""
        self._flush()
        self.catch_up(_PATIENCE)

    def finish(self, scope: AttemptScope, *, threads_left: bool) -> dict[Stream, int]:
        """Record what an attempt printed, at its end, and turn the streams again.

        Args:
            scope: the attempt.
            threads_left: whether threads have outlived an attempt: what they print from now on is recorded
                as that attempt's.

        Returns:
            Where in each stream its output ends, if there was no time for all of it: the rest is recorded
            as the attempt's before the next one begins, else by whoever finishes this process's output.
        """
        self.turn()
        if threads_left:
            for stream, file in self._files.items():
                self._left.divert(stream, file)
        self._left.flush()
        whole = super().drain(seconds=_PATIENCE)  # what was buffered is out already
        self._pass_marks_over(True)
        if whole:
            return {}
        ends = self.sizes()
        with self._lock:
            self._left_over = scope, ends
        return ends

    def _pass_marks_over(self, between: bool) -> None:
        """Keep out of the files, between two attempts, what Ray prints then: it would only be passed over."""
        for file in self._files.values():
            named = getattr(file, "__dict__", None)
            if named is None:
                continue
            if not between and getattr(named.get("write"), "func", None) is _write_between:
                del file.write
            if between and "write" not in named:  # it is ours where threads that were left print as well
                file.write = partial(_write_between, file.write)

    def _owner(self, stream: Stream) -> tuple[AttemptScope | None, int]:
        if self._left_over is not None:
            scope, ends = self._left_over
            if self._done[stream] < ends[stream]:
                return scope, ends[stream]
        return None, sys.maxsize

    def drain(self, *, final: bool = True, frames: bool = False, seconds: float = inf) -> bool:
        if final:
            self._flush()
        if final or frames:
            self._left.flush()
        return super().drain(final=final, frames=frames, seconds=seconds)

    def _flush(self) -> None:
        """Let what is buffered go out; a stream that cannot is no fault of the task's."""
        for stream, own in self._files.items():
            current = getattr(sys, stream, None)
            for file in (current,) if current is own else (current, own):
                try:
                    file.flush()  # type: ignore[union-attr]
                except Exception:
                    continue

    def _passed_over(self, owner: AttemptScope | None) -> tuple[str, ...]:
        busy = owner is not None or attempt_scope() is not None
        return RAY_PROGRESS if busy else RAY_PROGRESS + RAY_MARKS


def _write_between(write: Callable[[str], int], text: str) -> int:
    is_mark = text.startswith(RAY_MARKS) and text.find("\n") == len(text) - 1
    return len(text) if is_mark else write(text)
