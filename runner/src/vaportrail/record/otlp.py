"""OTLP JSON lines, as OpenTelemetry's file exporter writes them: records in, lines out, and back.

One signal a file, one `ExportTraceServiceRequest` (or its logs and metrics kin) a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import Kind, compact
from vaportrail.telemetry.values import read_attributes

__all__ = ["SIGNALS", "Record", "read_line", "write_lines"]

_LINE_RECORDS: Final = 256
_LINE_CHARACTERS: Final = 2**20


@dataclass(frozen=True, slots=True)
class Signal:
    """The words that OTLP uses for one signal."""

    kind: Kind
    file: str
    resources: str
    scopes: str
    records: str


SIGNALS: Final[tuple[Signal, ...]] = (
    Signal("T", "traces", "resourceSpans", "scopeSpans", "spans"),
    Signal("L", "logs", "resourceLogs", "scopeLogs", "logRecords"),
    Signal("M", "metrics", "resourceMetrics", "scopeMetrics", "metrics"),
)
BY_KIND: Final = {signal.kind: signal for signal in SIGNALS}


@dataclass(frozen=True, slots=True)
class Record:
    """One log record, span or metric, and the process that made it."""

    kind: Kind
    resource: Mapping[str, Any]
    scope: str
    body: Mapping[str, Any]

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes as Python values (a metric's are its metadata)."""
        return read_attributes(self.body.get("metadata" if self.kind == "M" else "attributes", []))

    @property
    def resource_attributes(self) -> dict[str, Any]:
        """Its process's attributes as Python values."""
        return read_attributes(self.resource.get("attributes", []))

    @property
    def identity(self) -> tuple[str, int]:
        """Writer and number: two records that share both are one."""
        return str(self.resource_attributes.get(c.WRITER_ID, "")), int(self.attributes.get(c.SEQ, 0))


def write_lines(records: Iterable[Record]) -> Iterator[tuple[Kind, bytes]]:
    """Yield OTLP lines of records that come grouped by process; order is kept within a signal."""
    open_lines: dict[Kind, list[Record]] = {}
    sizes: dict[Kind, int] = {}
    for record in records:
        line = open_lines.setdefault(record.kind, [])
        full = len(line) >= _LINE_RECORDS or sizes.get(record.kind, 0) >= _LINE_CHARACTERS
        if line and (full or line[0].resource is not record.resource):
            yield record.kind, _line(line)
            line.clear()
            sizes[record.kind] = 0
        line.append(record)
        sizes[record.kind] = sizes.get(record.kind, 0) + len(str(record.body.get("body", "")))
    for kind, line in open_lines.items():
        if line:
            yield kind, _line(line)


def _line(records: list[Record]) -> bytes:
    signal = BY_KIND[records[0].kind]
    scopes: list[dict[str, Any]] = []
    for record in records:
        if not scopes or scopes[-1]["scope"]["name"] != record.scope:
            scopes.append({"scope": {"name": record.scope}, signal.records: []})
        scopes[-1][signal.records].append(record.body)
    content = {signal.resources: [{"resource": records[0].resource, signal.scopes: scopes}]}
    return (compact(content) + "\n").encode()


def read_line(raw: bytes) -> Iterator[Record]:
    """Yield the records of one OTLP JSON line of any signal."""
    content = json.loads(raw)
    for signal in SIGNALS:
        for resource_group in content.get(signal.resources, []):
            resource = resource_group.get("resource", {})
            for scope_group in resource_group.get(signal.scopes, []):
                scope = scope_group.get("scope", {}).get("name", "")
                for body in scope_group.get(signal.records, []):
                    yield Record(signal.kind, resource, scope, body)
