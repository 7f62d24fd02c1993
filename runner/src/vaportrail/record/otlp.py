"""OTLP JSON lines, as OpenTelemetry's file exporter writes them: records in, lines out, and back.

One signal a file, one `ExportTraceServiceRequest` (or its logs and metrics kin) a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.otlp import SIGNALS, export_request
from vaportrail.telemetry.spool import Kind, compact
from vaportrail.telemetry.values import read_attributes

__all__ = ["SIGNALS", "Record", "Resource", "read_groups", "read_line", "write_lines"]

_LINE_RECORDS: Final = 256
_LINE_CHARACTERS: Final = 2**20


class Resource(dict[str, Any]):
    """A process as OTLP has it. Thousands of records share one, so its attributes are read once."""

    __slots__ = ("_named",)

    @property
    def named(self) -> dict[str, Any]:
        """Its attributes as Python values."""
        try:
            return self._named
        except AttributeError:
            self._named: dict[str, Any] = read_attributes(self.get("attributes", []))
            return self._named


@dataclass(frozen=True, slots=True)
class Record:
    """One log record, span or metric, and the process that made it."""

    kind: Kind
    resource: Mapping[str, Any]
    scope: str
    body: Mapping[str, Any]
    _named: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes as Python values (a metric's are its metadata)."""
        if not self._named:
            pairs = self.body.get("metadata" if self.kind == "M" else "attributes", [])
            self._named.append(read_attributes(pairs))
        return self._named[0]

    @property
    def resource_attributes(self) -> dict[str, Any]:
        """Its process's attributes as Python values."""
        if isinstance(self.resource, Resource):
            return self.resource.named
        return read_attributes(self.resource.get("attributes", []))

    @property
    def writer(self) -> str:
        """The name of its process among the writers of the record."""
        return str(self.resource_attributes.get(c.WRITER_ID, ""))

    @property
    def identity(self) -> tuple[str, int]:
        """Writer and number: two records that share both are one."""
        return self.writer, int(self.attributes.get(c.SEQ, 0))


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
    resource = compact(records[0].resource).encode()
    parts = ((resource, record.scope, compact(record.body).encode()) for record in records)
    return export_request(records[0].kind, parts) + b"\n"


def read_line(raw: bytes) -> Iterator[Record]:
    """Yield the records of one OTLP JSON line of any signal."""
    for kind, resource, scope, bodies in read_groups(raw):
        for body in bodies:
            yield Record(kind, resource, scope, body)


def read_groups(raw: bytes) -> Iterator[tuple[Kind, Resource, str, list[dict[str, Any]]]]:
    """Yield signal, resource, scope and records of each group of one OTLP JSON line."""
    content = json.loads(raw)
    for signal in SIGNALS:
        for resource_group in content.get(signal.resources, []):
            resource = Resource(resource_group.get("resource", {}))
            for scope_group in resource_group.get(signal.scopes, []):
                scope = scope_group.get("scope", {}).get("name", "")
                yield signal.kind, resource, scope, scope_group.get(signal.records, [])
