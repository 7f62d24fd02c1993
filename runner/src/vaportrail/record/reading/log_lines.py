"""A log record as the lines that a reader is shown. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vaportrail.record.otlp_lines import Record
from vaportrail.record.output_lines import lines_of
from vaportrail.record.times import rfc3339
from vaportrail.telemetry import conventions as c

__all__ = ["IDLE_WORKER", "LogLine", "Place", "log_lines", "place_of"]

_SHARED: Final = 1024
"""Characters of a name that a file has once for many records, and that goes with each of their lines."""

IDLE_WORKER: Final = "(worker)"
"""Whose the lines are that a worker printed while none of the run's tasks ran in it."""
Place = tuple[int, str, bool, int]
"""Where a line stands among all: its time in nanoseconds, its process, whether it was read for a process that
died, after all that it recorded itself, and its number there."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record or line of output.

    Attributes:
        time: RFC 3339 with nanoseconds.
        task: the task's id; empty for the pipeline's body; ``"(worker)"`` for what a worker said while none
            of the run's tasks ran in it.
        attempt: from 1; 0 where it is no task's.
        source: ``"stdout"``, ``"stderr"`` or the logger's name.
        severity: OpenTelemetry's severity text.
        text: the message.
    """

    time: str
    task: str
    attempt: int
    source: str
    severity: str
    text: str


def place_of(record: Record, writer: str) -> Place:
    """Return where a log record stands among all of a run's; `writer` is the process that made it."""
    named = record.attributes
    return int(record.body["timeUnixNano"]), writer[:_SHARED], c.LEDGER_WRITER in named, named[c.SEQ]


def log_lines(record: Record) -> Iterator[tuple[Place, LogLine]]:
    """Yield the lines of a log record, in their order; none where it is an event."""
    if record.body.get("eventName"):
        return
    named = record.attributes
    writer = str(named.get(c.LEDGER_WRITER) or record.writer)
    owner = named.get(c.TASK_RUN_ID, IDLE_WORKER if writer.startswith("worker-") else "")
    time = int(record.body["timeUnixNano"])
    source, severity = record.scope[:_SHARED], record.body.get("severityText", "")
    said = rfc3339(time), owner, named.get(c.ATTEMPT, 0), source, severity
    place = place_of(record, writer)
    for text in lines_of(record):
        yield place, LogLine(*said, text)
