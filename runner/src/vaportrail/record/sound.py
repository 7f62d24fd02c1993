"""What a record must be to be read: checked once, where it comes in, so that nobody after has to ask.

Whoever may write to a spool or a record root may write anything there. A record that is not sound is
left out and counted; it never stops those beside it. Pure.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import from_json

from vaportrail.contract.otlp_signals import BY_KIND, FIRST_FORMAT, SIGNALS, Kind
from vaportrail.record.known_outcomes import is_outcome
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import BY_EVENT
from vaportrail.telemetry.spool import compact

__all__ = ["Unsound", "check_record", "named_values", "parse", "shallow"]

VALUE_DEPTH: Final = 32
"""Levels of a logged value: what our own writers describe has six."""
JSON_DEPTH: Final = 64
"""Levels of JSON within an attribute: it goes into the manifest, and that has to be read again."""
ATTEMPT_LIMIT: Final = 100_000
_INT64: Final = 2**63
_TIME_END: Final = 2**64
_LARGE: Final = re.compile(rb"[:,\[\s]-?(?:[0-9][0-9.]*[eE]\+?[0-9]{3}|[0-9.]{200})")
"""Where a number within JSON may be that is read as infinite, which cannot be written again."""
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Unsound(ValueError):
    """A record, or a line of them, that is none of ours; the message says what is wrong with it."""


def parse(raw: bytes) -> Any:
    """Return what JSON text holds; of one that is nested too deeply, or is no Unicode, nothing.

    Raises:
        Unsound: it is not such text.
    """
    try:
        found = from_json(raw, allow_inf_nan=False, cache_strings="keys")
        if raw[:1] not in (b"{", b"[") or _LARGE.search(raw) is not None:
            compact(found)
    except ValueError as error:
        raise Unsound(f"no JSON that can be read: {error}") from None
    return found


def shallow(value: Any, depth: int = JSON_DEPTH) -> bool:
    """Return whether JSON has at most `depth` levels.

    >>> shallow([[1]], 2), shallow([[[1]]], 2)
    (True, False)
    """
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if items is None:
        return True
    return depth > 0 and all(shallow(item, depth - 1) for item in items)


def named_values(pairs: Any, depth: int = VALUE_DEPTH) -> dict[str, Any]:
    """Return an OTLP list of `KeyValue` as a dictionary.

    Raises:
        Unsound: it is no such list.
    """
    if type(pairs) is not list:
        raise Unsound("attributes are no list")
    named: dict[str, Any] = {}
    for pair in pairs:
        key = pair.get("key") if type(pair) is dict else None
        if type(key) is not str:
            raise Unsound("an attribute has no name")
        named[key] = _value(pair.get("value", {}), depth)
    return named


def _value(found: Any, depth: int) -> Any:
    if type(found) is not dict or len(found) > 1 or not depth:
        raise Unsound("a value is none, or nested too deeply")
    for kind, content in found.items():
        read = _READ.get(kind)
        try:
            return read(content, depth - 1) if read is not None else None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unsound(f"{kind} {str(content)[:40]!r} is none") from error
    return None


def _text(content: Any, _depth: int) -> str:
    if type(content) is not str:
        raise TypeError
    return content


def _truth(content: Any, _depth: int) -> bool:
    if type(content) is not bool:
        raise TypeError
    return content


def _integer(content: Any, _depth: int = 0, low: int = -_INT64, end: int = _INT64) -> int:
    if type(content) is str and _INTEGER.fullmatch(content):
        content = int(content)
    if type(content) is not int or not low <= content < end:
        raise ValueError
    return content


def _double(content: Any, _depth: int) -> float:
    if type(content) is str:
        return _NON_FINITE[content]
    if type(content) not in (int, float) or not math.isfinite(content):
        raise ValueError
    return float(content)


_READ: Final[dict[str, Callable[[Any, int], Any]]] = {
    "stringValue": _text,
    "boolValue": _truth,
    "intValue": _integer,
    "doubleValue": _double,
    "bytesValue": lambda content, _depth: base64.b64decode(_text(content, 0), validate=True),
    "arrayValue": lambda content, depth: [_value(item, depth) for item in content.get("values", [])],
    "kvlistValue": lambda content, depth: named_values(content.get("values", []), depth),
}


def _is_int(value: Any) -> bool:
    return type(value) is int


def _json(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if type(value) is not str:
            return False
        try:
            found = from_json(value)
        except ValueError:
            return False
        return shallow(found) and check(found)

    return fits


def _is_object(value: Any) -> bool:
    return type(value) is dict


def _are_edges(value: Any) -> bool:
    return type(value) is list and all(
        type(edge) is dict
        and type(edge.get("task")) is str
        and type(edge.get("argument")) is str
        and edge.get("kind") in ("value", "order")
        for edge in value
    )


_OF_TYPE: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: type(value) is str,
    "int": _is_int,
    "bool": lambda value: type(value) is bool,
    "string (JSON)": _json(_is_object),
    "string[]": lambda value: type(value) is list and all(type(item) is str for item in value),
}
_OURS: Final = ("vaportrail.", "cicd.", c.LOG_IOSTREAM)
"""Names that nobody else gives; of all others a reader takes what there is."""
_FITS: Final[dict[str, Callable[[Any], bool]]] = {
    **{row.name: _OF_TYPE[row.type] for row in c.ATTRIBUTES if row.name.startswith(_OURS)},
    c.SEQ: lambda value: _is_int(value) and value > 0,
    c.ATTEMPT: lambda value: _is_int(value) and 0 <= value < ATTEMPT_LIMIT,
    c.TASK_ATTEMPTS: lambda value: _is_int(value) and 0 <= value < ATTEMPT_LIMIT,
    c.OUTCOME: is_outcome,
    c.LOG_IOSTREAM: ("stdout", "stderr").__contains__,
    c.TASK_KIND: ("python", "notebook").__contains__,
    c.TASK_EDGES: _json(_are_edges),
    c.RUN_TAGS: _json(lambda value: _is_object(value) and all(type(tag) is str for tag in value.values())),
    c.LEDGER_STATE: ("exact", "unknown").__contains__,
    c.ARTIFACT_SHA256: lambda value: type(value) is str and _SHA256.fullmatch(value) is not None,
    **{
        name: lambda value: _is_int(value) and value >= 0
        for name in (
            c.STREAM_OFFSET, c.STDOUT_OFFSET, c.STDERR_OFFSET, c.ARTIFACT_SIZE, c.RECEIPT_COUNT,
            *(signal.counter for signal in SIGNALS), c.SEAL_UNREADABLE_PARTS, c.SEAL_UNREADABLE_RECORDS,
            c.RUN_CREATED, c.SEALED_AT, c.LEDGER_COUNTED_AT, c.RECEIPT_CREATED, c.RECEIPT_REMOVED,
            c.NOT_CAPTURED_COUNT,
        )
    },
}  # fmt: skip

_VALUE: Final = (c.VALUE_NAME,)
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    c.EVENT_RUN_STARTED: (
        c.PIPELINE_NAME, c.RUN_NAME, c.RUN_CREATED, c.RUN_ENTRYPOINT, c.RUN_PARAMETERS, c.RUN_TAGS,
        c.SPAN_NAME, c.SCHEMA,
    ),
    c.EVENT_RUN_ENDED: (c.OUTCOME, c.RUN_MESSAGE),
    c.EVENT_TASK_SUBMITTED: (
        c.TASK_RUN_ID, c.TASK_NAME, c.TASK_KIND, c.TASK_ARGUMENTS, c.TASK_OPTIONS, c.TASK_EDGES,
        c.TASK_ALLOW_FAILURE,
    ),
    c.EVENT_ATTEMPT_STARTED: (c.TASK_RUN_ID, c.ATTEMPT, c.STDOUT_OFFSET, c.STDERR_OFFSET),
    c.EVENT_CELL_OUTPUT: (c.TASK_RUN_ID, c.ATTEMPT, c.STDOUT_OFFSET, c.STDERR_OFFSET),
    c.EVENT_ATTEMPT_RESOLVED: (c.TASK_RUN_ID, c.ATTEMPT, c.OUTCOME),
    **dict.fromkeys(BY_EVENT, _VALUE),
    c.EVENT_ARTIFACT: (
        *_VALUE, c.ARTIFACT_KIND, c.ARTIFACT_SHA256, c.ARTIFACT_SIZE, c.ARTIFACT_MEDIA_TYPE,
    ),
    c.EVENT_RECEIPT: (c.RECEIPT_OBJECT, c.RECEIPT_UID, c.RECEIPT_COUNT, c.RECEIPT_CREATED),
    c.EVENT_LEDGER: (
        c.LEDGER_WRITER, c.LEDGER_STATE,
        *(signal.counter for signal in SIGNALS if signal.since == FIRST_FORMAT),
    ),
    c.EVENT_SEALED: (c.SEALED_AT,),
}  # fmt: skip
"""What an event of ours says at the least."""
_OF_THE_RUN: Final = (c.PIPELINE_RUN_ID, c.SERVICE_VERSION)
"""What its process says of itself where a run starts."""
_OF_A_SPAN: Final = frozenset(
    {
        c.EVENT_RUN_STARTED, c.EVENT_TASK_SUBMITTED, c.EVENT_ATTEMPT_STARTED, c.EVENT_ATTEMPT_RESOLVED,
        c.EVENT_CELL_OUTPUT,
    }
)  # fmt: skip
"""Events whose span readers ask for."""
_NUMBERED_UNSAID: Final = frozenset({c.EVENT_LEDGER})
"""A shipper's counts have no number."""


def check_record(kind: Kind, process: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Return the attributes of one log record, span or metric.

    Args:
        kind: its signal.
        process: its process's attributes.
        body: the record, as JSON has it.

    Raises:
        Unsound: whoever reads it would stumble.
    """
    if type(body) is not dict:
        raise Unsound("a record is no object")
    named = named_values(body.get(BY_KIND[kind].attributes, []))
    _check_named(named)
    _check_ids(body)
    if kind == "T":
        _check_span(body)
    elif kind == "L":
        _check_log(body, named, process)
    if c.SCHEMA in named and c.PIPELINE_NAME not in named:
        raise Unsound("a run has no pipeline")
    if c.SPAN_NAME in named and (type(named.get(c.SPAN_KIND)) is not int or not body.get("spanId")):
        raise Unsound("a span that opens has no kind or no id")
    return named


def _check_named(named: Mapping[str, Any]) -> None:
    for name, value in named.items():
        fits = _FITS.get(name)
        if fits is not None and not _holds(fits, value):
            raise Unsound(f"{name} cannot be {str(value)[:40]!r}")


def _holds(fits: Callable[[Any], bool], value: Any) -> bool:
    try:
        return fits(value)
    except TypeError:  # what is no key of a set is not in it
        return False


def _check_ids(body: Mapping[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId", "eventName", "severityText", "name"):
        if type(body.get(key, "")) is not str:
            raise Unsound(f"{key} is no text")


def _check_time(body: Mapping[str, Any], key: str) -> None:
    try:
        _integer(body[key], low=0, end=_TIME_END)
    except (KeyError, ValueError):
        raise Unsound(f"{key} is no time") from None


def _check_span(body: Mapping[str, Any]) -> None:
    _check_time(body, "startTimeUnixNano")
    _check_time(body, "endTimeUnixNano")
    if not body.get("spanId"):
        raise Unsound("a span has no id")
    events = body.get("events", [])
    if type(events) is not list or not all(type(event) is dict for event in events):
        raise Unsound("a span's events are none")
    for event in events:
        named_values(event.get("attributes", []))


def _check_log(body: Mapping[str, Any], named: Mapping[str, Any], process: Mapping[str, Any]) -> None:
    _check_time(body, "timeUnixNano")
    said = _value(body.get("body", {}), VALUE_DEPTH)
    event = body.get("eventName", "")
    if event == c.EVENT_ATTEMPT_STARTED and not _is_int(named.get(c.PROCESS_PID, 0)):
        raise Unsound(f"{c.PROCESS_PID} is no number")
    for name in _NEEDED.get(event, ()):
        if name not in named:
            raise Unsound(f"{event} does not say {name}")
    if event in _OF_A_SPAN and not (body.get("spanId") and body.get("traceId")):
        raise Unsound(f"{event} has no span")
    if event == c.EVENT_RUN_STARTED and not all(type(process.get(name)) is str for name in _OF_THE_RUN):
        raise Unsound(f"{event} does not say whose")
    value = BY_EVENT.get(event)
    if value is not None and value.numbers and type(said) not in (int, float):
        raise Unsound(f"a {value.kind}'s value is no number")
    if event == c.EVENT_NOT_CAPTURED and type(said) is not str:
        raise Unsound("what was not captured has no reason")
    if value is not None and not value.numbers and _holds_bytes(said):
        raise Unsound("a value holds bytes, which JSON has no form for")


def _holds_bytes(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_holds_bytes, value)) if isinstance(value, list) else isinstance(value, bytes)
