"""OTLP in its JSON form: export requests, and log records.

Light on purpose: the shipper, which runs beside every process of a run, starts with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from json.encoder import encode_basestring
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from vaportrail.contract.otlp_signals import BY_KIND, Kind
from vaportrail.telemetry.spool import compact
from vaportrail.telemetry.values import clean, to_any_value

__all__ = ["INFO", "WARN", "export_request", "log_json", "log_record", "quoted", "span_json"]

INFO: Final = (9, "INFO")
WARN: Final = (13, "WARN")
_INT64: Final = 2**63
_SHORT: Final = 64
"""Characters of a text that may come again."""


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


def log_json(
    body: Any,
    values: Mapping[str, Any],
    *,
    unix_nano: int,
    observed_unix_nano: int,
    severity: tuple[int, str] = INFO,
    trace_id: str = "",
    span_id: str = "",
    event: str = "",
) -> str:
    """Return a log record as JSON, or an event where `event` names one.

    Put together as text: most of what a process logs is a few numbers and short texts, and to make a tree
    of them first, and JSON of that, takes several times as long.
    """
    said = "" if body is None else f'"body":{_value_json(body)},'
    named = _attributes_json(values)
    # The sealer has these from records that others wrote.
    span = (
        f',"traceId":{encode_basestring(trace_id)},"spanId":{encode_basestring(span_id)}' if span_id else ""
    )
    named_event = f',"eventName":{encode_basestring(event)}' if event else ""
    return (
        f'{{"timeUnixNano":"{unix_nano}","observedTimeUnixNano":"{observed_unix_nano}",'
        f'"severityNumber":{severity[0]},"severityText":"{severity[1]}",'
        f'{said}"attributes":[{named}]{span}{named_event}}}'
    )


def span_json(
    name: str,
    values: Mapping[str, Any],
    *,
    trace_id: str,
    span_id: str,
    parent: str,
    kind: int,
    start: int,
    end: int,
    error: str | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    links: Sequence[str] = (),
) -> str:
    """Return an ended span as JSON, put together as text as a log record is.

    Args:
        name: what it is called.
        values: its attributes.
        trace_id: its trace, and that of its links.
        span_id: its own id.
        parent: its parent's id; empty where it has none.
        kind: OTLP's number for it.
        start: nanoseconds since the epoch.
        end: the same.
        error: how it failed, in words; None where it did not.
        events: its events, as trees.
        links: ids of spans of the same trace.
    """
    above = f'"parentSpanId":"{parent}",' if parent else ""
    linked = ",".join([f'{{"traceId":"{trace_id}","spanId":"{link}"}}' for link in links])
    status = '{"code":1}' if error is None else f'{{"code":2,"message":{quoted(error)}}}'
    return (
        f'{{"traceId":"{trace_id}","spanId":"{span_id}",{above}"name":{quoted(name)},'
        f'"kind":{kind},"startTimeUnixNano":"{start}","endTimeUnixNano":"{end}",'
        f'"attributes":[{_attributes_json(values)}],'
        + (f'"events":{compact(events)},' if events else "")
        + (f'"links":[{linked}],' if linked else "")
        + f'"status":{status}}}'
    )


def log_record(body: Any, values: Mapping[str, Any], **said: Any) -> dict[str, Any]:
    """Return a log record as a tree; see `log_json`."""
    found: dict[str, Any] = json.loads(log_json(body, values, **said))
    return found


def quoted(text: str) -> str:
    """Return a text as JSON."""
    return encode_basestring(clean(text))


def _attributes_json(values: Mapping[str, Any]) -> str:
    return ",".join([_named_json(key, value) for key, value in values.items() if value is not None])


def _named_json(key: str, value: Any) -> str:
    kind = type(value)
    if kind is str and len(value) <= _SHORT:
        return _short_json(key, value)
    if kind is int and -_INT64 <= value < _INT64:
        return f'{_key_json(key)}{{"intValue":"{value}"}}}}'
    return f"{_key_json(key)}{_value_json(value)}}}"


@lru_cache(maxsize=4096)
def _short_json(key: str, value: str) -> str:
    # Names of tasks, metrics, files: the same again and again.
    return f"{_key_json(key)}{_value_json(value)}}}"


@lru_cache(maxsize=1024)
def _key_json(key: str) -> str:
    return f'{{"key":{quoted(key)},"value":'


def _value_json(value: Any) -> str:
    """Return `to_any_value(value)` as JSON."""
    kind = type(value)
    if kind is str:
        return f'{{"stringValue":{quoted(value)}}}'
    if kind is int and -_INT64 <= value < _INT64:
        return f'{{"intValue":"{value}"}}'
    if kind is float and isfinite(value):
        return f'{{"doubleValue":{value!r}}}'
    if kind is bool:
        return '{"boolValue":true}' if value else '{"boolValue":false}'
    if kind is list:
        return f'{{"arrayValue":{{"values":[{",".join(map(_value_json, value))}]}}}}'
    return compact(to_any_value(value))
