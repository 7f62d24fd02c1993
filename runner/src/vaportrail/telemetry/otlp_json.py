"""OTLP in its JSON form: what the signals are called, export requests, and log records.

Light on purpose: the shipper, which runs beside every process of a run, starts with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from vaportrail.telemetry.spool import Kind, compact
from vaportrail.telemetry.values import attributes, to_any_value

__all__ = ["BY_KIND", "INFO", "SIGNALS", "WARN", "Signal", "export_request", "log_record"]

INFO: Final = (9, "INFO")
WARN: Final = (13, "WARN")


@dataclass(frozen=True, slots=True)
class Signal:
    """The words that OTLP uses for one signal."""

    kind: Kind
    file: str
    """How files of it are called, and where OTLP over HTTP takes it: `/v1/<file>`."""
    resources: str
    scopes: str
    records: str


SIGNALS: Final[tuple[Signal, ...]] = (
    Signal("T", "traces", "resourceSpans", "scopeSpans", "spans"),
    Signal("L", "logs", "resourceLogs", "scopeLogs", "logRecords"),
    Signal("M", "metrics", "resourceMetrics", "scopeMetrics", "metrics"),
)
BY_KIND: Final = {signal.kind: signal for signal in SIGNALS}


def export_request(kind: Kind, records: Iterable[tuple[bytes, str, bytes]]) -> bytes:
    """Return one export request of a signal, on one line.

    Args:
        kind: the signal.
        records: resource, scope and body of each record, the first and the last as JSON. What
            stands side by side and shares resource and scope is written as one group.

    >>> export_request("T", [(b"{}", "s", b'{"name":"a"}')]).decode()
    '{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{"name":"s"},"spans":[{"name":"a"}]}]}]}'
    """
    signal = BY_KIND[kind]
    resources = []
    for resource, of_resource in groupby(records, key=itemgetter(0)):
        scopes = []
        for scope, of_scope in groupby(of_resource, key=itemgetter(1)):
            bodies = b",".join(body for _, _, body in of_scope)
            head = f'{{"scope":{{"name":{compact(scope)}}},"{signal.records}":['.encode()
            scopes.append(head + bodies + b"]}")
        head = b'{"resource":' + resource + f',"{signal.scopes}":['.encode()
        resources.append(head + b",".join(scopes) + b"]}")
    return f'{{"{signal.resources}":['.encode() + b",".join(resources) + b"]}"


def log_record(
    body: Any,
    values: Mapping[str, Any],
    *,
    unix_nano: int,
    observed_unix_nano: int,
    severity: tuple[int, str] = INFO,
    trace_id: str = "",
    span_id: str = "",
    event: str = "",
) -> dict[str, Any]:
    """Return a log record, or an event where `event` names one."""
    record: dict[str, Any] = {
        "timeUnixNano": str(unix_nano),
        "observedTimeUnixNano": str(observed_unix_nano),
        "severityNumber": severity[0],
        "severityText": severity[1],
    }
    if body is not None:
        record["body"] = to_any_value(body)
    record["attributes"] = attributes(values)
    if span_id:
        record |= {"traceId": trace_id, "spanId": span_id}
    if event:
        record["eventName"] = event
    return record
