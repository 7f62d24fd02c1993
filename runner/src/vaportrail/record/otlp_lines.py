"""OTLP JSON lines, as OpenTelemetry's file exporter writes them: records in, lines out, and back.

One signal a file, one export request (such as an `ExportTraceServiceRequest`) a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vaportrail.contract.otlp_signals import BY_KIND, SIGNALS, Kind
from vaportrail.record.sound import Unsound, check_record, named_values, parse
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.otlp_json import export_request
from vaportrail.telemetry.spool import compact

__all__ = [
    "RECORD_LIMIT", "Groups", "Record", "Resource", "read_groups", "read_line", "sound_record",
    "write_lines",
]  # fmt: skip

Groups = Iterator[tuple[Kind, "Resource", str, list[Any]]]
"""Signal, resource, scope, records: of these nothing is known yet."""
RECORD_LIMIT: Final = 16 * 2**20
"""Bytes of one record as JSON."""
_LINE_RECORDS: Final = 256
_LINE_BYTES: Final = 2**20


class Resource(dict[str, Any]):
    """A process as OTLP has it. Thousands of records share one, so its attributes are read once."""

    __slots__ = ("_named",)

    @property
    def named(self) -> dict[str, Any]:
        """Its attributes as Python values.

        Raises:
            Unsound: they cannot be read.
        """
        try:
            return self._named
        except AttributeError:
            self._named: dict[str, Any] = named_values(self.get("attributes", []))
            return self._named


@dataclass(frozen=True, slots=True)
class Record:
    """One log record, span or metric, and the process that made it."""

    kind: Kind
    resource: Mapping[str, Any]
    scope: str
    body: Mapping[str, Any]
    raw: bytes = b""
    """The body as JSON, where it was read from it."""
    _named: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes as Python values (a metric's are its metadata)."""
        if not self._named:
            pairs = self.body.get(BY_KIND[self.kind].attributes, [])
            self._named.append(named_values(pairs))
        return self._named[0]

    @property
    def resource_attributes(self) -> dict[str, Any]:
        """Its process's attributes as Python values."""
        if isinstance(self.resource, Resource):
            return self.resource.named
        return named_values(self.resource.get("attributes", []))

    @property
    def writer(self) -> str:
        """The name of its process among the writers of the record."""
        return str(self.resource_attributes.get(c.WRITER_ID, ""))

    @property
    def identity(self) -> tuple[str, int]:
        """Writer and number: two records that share both are one."""
        return self.writer, int(self.attributes.get(c.SEQ, 0))


def sound_record(kind: Kind, resource: Resource, scope: Any, body: Any, raw: bytes = b"") -> Record:
    """Return a record that all readers can rely on.

    Raises:
        Unsound: it is none; nothing of it may be read.
    """
    if type(scope) is not str:
        raise Unsound("a scope's name is no text")
    named = check_record(kind, resource.named, body)
    record = Record(kind, resource, scope, body, raw)
    record._named.append(named)
    return record


def write_lines(records: Iterable[Record]) -> Iterator[tuple[Kind, bytes]]:
    """Yield OTLP lines of records that come grouped by process; order is kept within a signal.

    A line is no longer than `_LINE_BYTES` and its process's description, or it holds one record.
    """
    open_lines: dict[Kind, list[tuple[Record, bytes]]] = {}
    sizes: dict[Kind, int] = {}
    for record in records:
        line = open_lines.setdefault(record.kind, [])
        body = record.raw or compact(record.body).encode()
        full = len(line) >= _LINE_RECORDS or sizes.get(record.kind, 0) + len(body) > _LINE_BYTES
        if line and (full or line[0][0].resource is not record.resource):
            yield record.kind, _line(line)
            line.clear()
            sizes[record.kind] = 0
        line.append((record, body))
        sizes[record.kind] = sizes.get(record.kind, 0) + len(body)
    for kind, line in open_lines.items():
        if line:
            yield kind, _line(line)


def _line(records: list[tuple[Record, bytes]]) -> bytes:
    first = records[0][0]
    resource = compact(first.resource).encode()
    return export_request(first.kind, ((resource, record.scope, body) for record, body in records)) + b"\n"


def read_line(raw: bytes, unsound: Callable[[Unsound], None] | None = None) -> Iterator[Record]:
    """Yield the records of one OTLP JSON line of any signal.

    Args:
        raw: the line.
        unsound: told of each record that is none, and of a line that holds none; where it is not
            given, the first of them is raised.
    """

    def left_out(error: Unsound) -> None:
        if unsound is None:
            raise error
        unsound(error)

    try:
        for kind, resource, scope, bodies in read_groups(raw):
            for body in bodies:
                try:
                    record = sound_record(kind, resource, scope, body)
                except Unsound as error:
                    left_out(error)
                else:
                    yield record
    except Unsound as error:
        left_out(error)


def read_groups(raw: bytes) -> Groups:
    """Yield signal, resource, scope and records of each group of one OTLP JSON line.

    Raises:
        Unsound: it is no such line.
    """
    content = _object(parse(raw))
    if not any(signal.resources in content for signal in SIGNALS):
        raise Unsound("a line holds no signal")
    for signal in SIGNALS:
        for group in _list(content, signal.resources):
            resource = Resource(_object(group.get("resource", {})))
            _ = resource.named
            for scopes in _list(group, signal.scopes):
                scope = _object(scopes.get("scope", {})).get("name", "")
                bodies = scopes.get(signal.records, [])
                if type(bodies) is not list:
                    raise Unsound(f"{signal.records} are no list")
                yield signal.kind, resource, scope, bodies


def _object(found: Any) -> dict[str, Any]:
    if type(found) is not dict:
        raise Unsound("a line holds something else than OTLP")
    return found


def _list(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = content.get(key, [])
    if type(found) is not list:
        raise Unsound(f"{key} are no list")
    return [_object(item) for item in found]
