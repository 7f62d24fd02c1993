"""What the operator saw of a run's infrastructure, as spans and events of its record. Pure."""

from __future__ import annotations

from typing import Any

from vaportrail.record.seal.operator_report import ReportedInterval, ReportedObject
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import run_span_id, timeline_span_id
from vaportrail.telemetry.recorder import INTERNAL, OK
from vaportrail.telemetry.values import attributes

__all__ = ["interval_span", "receipt_values"]


def interval_span(
    interval: ReportedInterval, index: int, *, uid: str, trace_id: str, seq: int
) -> dict[str, Any]:
    """Return an interval of a run's timeline as a span; `index` is its place there."""
    return {
        "traceId": trace_id,
        "spanId": timeline_span_id(uid, index, interval.name),
        "parentSpanId": run_span_id(uid),
        "name": interval.name,
        "kind": INTERNAL,
        "startTimeUnixNano": str(interval.start_unix_nano),
        "endTimeUnixNano": str(interval.end_unix_nano),
        "attributes": attributes({c.TIMELINE_NAME: interval.name, c.SEQ: seq}),
        "status": {"code": OK},
    }


def receipt_values(entry: ReportedObject) -> dict[str, Any]:
    """Return the attributes of what says that something was made for a run."""
    return {
        c.RECEIPT_OBJECT: entry.object,
        c.RECEIPT_UID: entry.uid,
        c.RECEIPT_COUNT: entry.count,
        c.RECEIPT_CREATED: entry.created_unix_nano,
        c.RECEIPT_REMOVED: entry.removed_unix_nano or None,
    }
