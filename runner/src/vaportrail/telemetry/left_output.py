"""What threads print that outlived their attempt, recorded as that attempt's.

Only what goes through `sys.stdout` and `sys.stderr` can be told from what the running attempt prints:
below them, where C code and child processes write, all of a process is one.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Final

from vaportrail.errors import SpoolError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.left_threads import left_by
from vaportrail.telemetry.output import SEVERITY, Stream
from vaportrail.telemetry.output_blocks import last_state, lines_without_secrets
from vaportrail.telemetry.recorder import Recorder

__all__ = ["LINE_LIMIT", "LeftOutput"]

LINE_LIMIT: Final = 1 << 16
"""Characters of a line that has no end yet, and of the lines in one record."""


class LeftOutput:
    """Takes what such threads write, out of the streams that they share with others.

    Args:
        recorder: writes the lines.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.RLock()
        self._rests: dict[tuple[AttemptScope, Stream], str] = {}

    def divert(self, stream: Stream, file: Any) -> None:
        """Take it from a text stream from now on; without effect on one that is diverted already."""
        write = file.write
        untouched = getattr(write, "__self__", None) is file
        if not untouched:
            return

        def diverted(text: str) -> int:
            scope = left_by()
            return int(write(text)) if scope is None else self._take(scope, stream, text)

        with suppress(AttributeError):  # a stream of somebody's own that cannot be written to differently
            file.write = diverted

    def flush(self) -> None:
        """Record what has no end yet, too."""
        with self._lock:
            rests, self._rests = self._rests, {}
            for (scope, stream), rest in rests.items():
                self._record(scope, stream, rest, partial=True)

    def _take(self, scope: AttemptScope, stream: Stream, text: str) -> int:
        with self._lock:
            lines, newline, rest = (self._rests.pop((scope, stream), "") + text).rpartition("\n")
            if newline:
                self._record_all(scope, stream, lines)
            cut = self._cut(rest)
            if cut:
                self._record(scope, stream, rest[:cut], partial=True)
                rest = rest[cut:]
            if rest:
                self._rests[scope, stream] = rest
        return len(text)

    def _cut(self, line: str) -> int:
        """Return how much of a line without an end is recorded by now; no secret is cut in two."""
        secrets = self._recorder.writer.redact
        # Behind the end the rest of a secret may come.
        cut = len(line) - (secrets.longest if secrets is not None else 0)
        if cut <= LINE_LIMIT:
            return 0
        if secrets is None:
            return cut
        return next((end for begin, end in secrets.find(line) if begin < cut < end), cut)

    def _record_all(self, scope: AttemptScope, stream: Stream, lines: str) -> None:
        begin = 0
        while len(lines) - begin > LINE_LIMIT:
            cut = lines.rfind("\n", begin, begin + LINE_LIMIT)
            if cut < begin:
                cut = lines.find("\n", begin)
            if cut < begin:
                break
            self._record(scope, stream, lines[begin:cut])
            begin = cut + 1
        self._record(scope, stream, lines[begin:])

    def _record(self, scope: AttemptScope, stream: Stream, lines: str, *, partial: bool = False) -> None:
        shown = "\n".join(map(last_state, lines.split("\n"))) if "\r" in lines else lines
        secrets = self._recorder.writer.redact
        if secrets is not None:
            shown = lines_without_secrets(shown, secrets)
        values = {c.LOG_IOSTREAM: stream, c.STREAM_PARTIAL: True if partial else None}
        with suppress(OSError, SpoolError):  # counted as lost
            self._recorder.log(shown, scope=stream, severity=SEVERITY[stream], values=values, attempt=scope)
