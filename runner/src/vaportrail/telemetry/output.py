"""What a process printed, as lines; and how much of it is on record, and whose the rest is.

The process itself turns its output into log records. What it had no time for is done by who comes
after it: the shipper where it runs in a pod, else the sealer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.redact import Finder, cut_outside
from vaportrail.telemetry.spool import Kind

__all__ = [
    "SEVERITY",
    "SUFFIX",
    "Line",
    "OutputWatch",
    "Stream",
    "is_ray_mark",
    "is_ray_progress",
    "line_values",
    "split_lines",
]

Stream = Literal["stdout", "stderr"]
SUFFIX: Final[dict[Stream, str]] = {"stdout": "out", "stderr": "err"}
SEVERITY: Final[dict[Stream, tuple[int, str]]] = {"stdout": (9, "INFO"), "stderr": (13, "WARN")}
_LINE_LIMIT: Final = 64 * 1024
_RAY_PROGRESS: Final = '{"__magic_token__": "__ray_tqdm_magic_token__"'
_RAY_MARKS: Final = (":task_name:", ":actor_name:", ":job_id:")


class Line(NamedTuple):
    """One line of output: its text, the byte offset of its end, and whether it has no end."""

    text: str
    end: int
    partial: bool


def split_lines(
    raw: bytes, start: int, *, final: bool, frames: bool = False, secrets: Finder | None = None
) -> Iterator[Line]:
    """Yield the lines of `raw`, which begins at byte `start` of its file, without secrets.

    A last line without its end is yielded only when `final`; a line over 64 KiB is cut into
    partial ones, and no secret is cut in two. Of what overwrites itself, as progress bars do, a line
    keeps its last state; `frames` yields that of a last line without its end, too, as far as its frames
    are whole.
    """
    offset = start
    for piece in _split_newlines(raw):
        goes_on = not final and not piece.endswith(b"\n")
        for part in _parts(piece, secrets, goes_on=goes_on, frames=frames):
            offset += len(part)
            whole = part.endswith(b"\n")
            text = _last_state(part).decode("utf-8", "backslashreplace")
            yield Line(text if secrets is None else secrets(text), offset, not whole)


def _parts(piece: bytes, secrets: Finder | None, *, goes_on: bool, frames: bool) -> Iterator[bytes]:
    """Yield a line in parts that are short enough, cut between frames where it has some.

    Of a line that goes on comes only what is sure.
    """
    # Behind a cut there may be the rest of a secret.
    enough = _LINE_LIMIT + (secrets.longest if secrets is not None else 0)
    begin, most = 0, enough - 1 if goes_on else _LINE_LIMIT
    while len(piece) - begin > most:
        # Not all that is left: each part would copy it again.
        ahead = piece[begin : begin + enough]
        cut = ahead.rfind(b"\r", 0, _LINE_LIMIT - 1) + 1 or _LINE_LIMIT
        if secrets is not None:
            cut = cut_outside(secrets, ahead, cut)
        yield ahead[:cut]
        begin += cut
    piece = piece[begin:]
    if goes_on:
        # What follows the last carriage return may be half a frame, and nothing half a line's end.
        piece = piece[: piece.rfind(b"\r", 0, -1) + 1] if frames else b""
    if piece:
        yield piece


def _last_state(part: bytes) -> bytes:
    """Return what a terminal shows last of a line; blanks only wipe a frame away and say nothing."""
    line = part.rstrip(b"\r\n")
    if b"\r" not in line:
        return line
    frames = line.split(b"\r")
    return next((frame for frame in reversed(frames) if frame.strip()), b"")


def _split_newlines(raw: bytes) -> list[bytes]:
    pieces = raw.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def is_ray_mark(line: Line) -> bool:
    """Return whether a line looks like those that Ray prints for its own log monitor.

    Ray prints them before it calls a task: while an attempt runs, such a line is the user's.
    """
    return line.text.startswith(_RAY_MARKS)


def is_ray_progress(line: Line) -> bool:
    """Return whether a line is a message between Ray's own progress bars, which Ray never shows as it is."""
    return line.text.startswith(_RAY_PROGRESS)


def line_values(stream: Stream, line: Line) -> dict[str, object]:
    """Return the attributes of a line's log record."""
    return {
        c.LOG_IOSTREAM: stream,
        c.STREAM_OFFSET: line.end,
        c.STREAM_PARTIAL: True if line.partial else None,
    }


@dataclass(slots=True)
class OutputWatch:
    """Sees one process's records in their order, and knows of its output what is on record.

    Attributes:
        read: how many bytes of each stream are on record.
        attempt: of the attempt that runs: its task's id, its number, and its span's ids.
    """

    read: dict[Stream, int] = field(default_factory=dict)
    attempt: dict[str, Any] = field(default_factory=dict)

    def see(self, kind: Kind, body: Mapping[str, Any], named: Mapping[str, Any]) -> None:
        """Take note of one record; `named` are its attributes."""
        if kind == "T":
            if self.attempt.get("spanId") == body["spanId"]:
                self.attempt = {}
        elif body.get("eventName") == c.EVENT_ATTEMPT_STARTED:
            self.attempt = {
                **{key: named[key] for key in (c.TASK_RUN_ID, c.ATTEMPT)},
                **{key: body[key] for key in ("traceId", "spanId")},
            }
            # All before it had been dealt with, although markers that are passed over leave no record.
            self._note("stdout", named[c.STDOUT_OFFSET])
            self._note("stderr", named[c.STDERR_OFFSET])
        elif c.LOG_IOSTREAM in named and c.STREAM_OFFSET in named:
            self._note(named[c.LOG_IOSTREAM], named[c.STREAM_OFFSET])

    def _note(self, stream: Stream, offset: int) -> None:
        self.read[stream] = max(self.read.get(stream, 0), offset)

    def rest(
        self, writer: str, stream: Stream, raw: bytes, *, final: bool = True, secrets: Finder | None = None
    ) -> Iterator[tuple[Line, dict[str, Any]]]:
        """Yield the lines of `raw`, which follows what is on record, each with its record's attributes.

        The lines count as read. They belong to the attempt that was running, if one was.
        """
        owner = {key: self.attempt[key] for key in (c.TASK_RUN_ID, c.ATTEMPT) if self.attempt}
        for line in split_lines(raw, self.read.get(stream, 0), final=final, secrets=secrets):
            self._note(stream, line.end)
            if not is_ray_progress(line) and (self.attempt or not is_ray_mark(line)):
                yield line, {**line_values(stream, line), **owner, c.LEDGER_WRITER: writer}
