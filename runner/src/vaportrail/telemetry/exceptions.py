"""What a record says of an exception: as attributes, and as the event of the span that it ended; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vaportrail.contract.outcome import Failure
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes, read_attributes

__all__ = ["exception_event", "exception_values", "read_failure", "span_failure"]


def exception_values(failure: Failure) -> dict[str, Any]:
    """Return the semantic conventions' attributes of an exception."""
    return {
        c.EXCEPTION_TYPE: failure.type,
        c.EXCEPTION_MESSAGE: failure.message,
        c.EXCEPTION_STACKTRACE: failure.traceback,
    }


def read_failure(values: Mapping[str, Any]) -> Failure | None:
    """Return the exception that attributes tell of, or None; the inverse of `exception_values`."""
    if c.EXCEPTION_TYPE not in values:
        return None
    return Failure(
        type=str(values[c.EXCEPTION_TYPE]),
        message=str(values.get(c.EXCEPTION_MESSAGE, "")),
        traceback=str(values.get(c.EXCEPTION_STACKTRACE, "")),
    )


def span_failure(body: Mapping[str, Any]) -> Failure | None:
    """Return the exception that ended a span, by its event, or None; see `exception_event`."""
    for event in body.get("events", []):
        if event.get("name") == "exception":
            return read_failure(read_attributes(event.get("attributes", [])))
    return None


def exception_event(failure: Failure, unix_nano: int) -> dict[str, Any]:
    """Return the span event that says which exception ended the span."""
    return {
        "timeUnixNano": str(unix_nano),
        "name": "exception",
        "attributes": attributes(exception_values(failure)),
    }
