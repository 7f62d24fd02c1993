"""The lines of a log record, as whoever reads them wants them: of output a record holds many."""

from __future__ import annotations

from vaportrail.record.otlp_lines import Record
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import from_any_value

__all__ = ["lines_of"]


def lines_of(record: Record) -> list[str]:
    """Return the texts of a log record that is no event: of output its lines, else the one message.

    A message stays whole, however many lines it has, with the traceback that was logged with it.
    """
    named = record.attributes
    text = str(from_any_value(record.body.get("body", {})))
    if c.LOG_IOSTREAM in named:
        return text.split("\n")
    if named.get(c.EXCEPTION_STACKTRACE):
        text = f"{text}\n{named[c.EXCEPTION_STACKTRACE].rstrip()}"
    return [text]
