"""Python values as OTLP's `AnyValue`, and a call's arguments as JSON that leaks nothing.

Both directions are written out because the SDK's own rules lose data silently: NumPy scalars
become strings, integers beyond 64 bits vanish, a lone surrogate makes the line invalid.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from enum import Enum
from os import PathLike, fspath
from pathlib import PurePath
from typing import Any

__all__ = ["attributes", "clean", "describe", "from_any_value", "read_attributes", "to_any_value"]

_INT64 = 2**63
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_TEXT_LIMIT = 1024
_ITEM_LIMIT = 100
_DEPTH_LIMIT = 6


def clean(text: str) -> str:
    """Return `text` with lone surrogates made visible, so that it can be UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _scalar(value: Any) -> Any:
    """Unwrap a NumPy-like scalar (anything 0-dimensional with `item()`); else return as is."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    return value


def to_any_value(value: Any) -> dict[str, Any]:
    """Return `value` in OTLP's JSON form of `AnyValue`.

    Integers outside 64 bits become strings; NaN and infinities are the protobuf JSON mapping's
    strings; unknown types become their `str()`.

    >>> to_any_value([1, 2.5, None])
    {'arrayValue': {'values': [{'intValue': '1'}, {'doubleValue': 2.5}, {}]}}
    """
    value = _scalar(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return {"stringValue": clean(str(value))}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return {"intValue": str(int(value))}
        return {"stringValue": _large(value)}
    if isinstance(value, float):
        return {"doubleValue": _float_json(value)}
    if value is None:
        return {}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytesValue": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, Mapping):
        pairs = [{"key": clean(str(k)), "value": to_any_value(v)} for k, v in value.items()]
        return {"kvlistValue": {"values": pairs}}
    if isinstance(value, Set):
        return to_any_value(sorted(value, key=repr))
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [to_any_value(item) for item in value]}}
    return {"stringValue": clean(str(value))}


def _large(value: int) -> str:
    """Return an integer beyond 64 bits as text; Python refuses decimals of very large ones."""
    return str(value) if value.bit_length() <= 1024 else hex(value)


def _float_json(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def from_any_value(value: Mapping[str, Any]) -> Any:
    """Return the Python value of an OTLP JSON `AnyValue`; the inverse of `to_any_value`."""
    for kind, content in value.items():
        match kind:
            case "stringValue" | "boolValue":
                return content
            case "intValue":
                return int(content)
            case "doubleValue":
                return _NON_FINITE[content] if isinstance(content, str) else float(content)
            case "bytesValue":
                return base64.b64decode(content)
            case "arrayValue":
                return [from_any_value(item) for item in content.get("values", [])]
            case "kvlistValue":
                return read_attributes(content.get("values", []))
    return None


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return `values` as an OTLP list of `KeyValue`; entries that are `None` are left out."""
    return [{"key": key, "value": to_any_value(value)} for key, value in values.items() if value is not None]


def read_attributes(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an OTLP list of `KeyValue` as a dictionary."""
    return {pair["key"]: from_any_value(pair.get("value", {})) for pair in pairs}


def describe(value: Any, depth: int = 0, *, known: Callable[[Any], Any] = lambda _value: None) -> Any:
    """Return what a record may say of an argument: JSON by a table of known types.

    Small plain values are themselves; long text and bytes are cut and named by their SHA-256;
    arrays and tables are named by shape, type and SHA-256; whatever else there is, only by its
    type, because a `repr` can leak a secret for good.

    Args:
        value: what to describe.
        depth: how deep within the argument it is.
        known: says of types of its own what they are described as, of all others None.
    """
    told = known(value)
    if told is not None:
        return told
    value = _scalar(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return describe(value.value, depth, known=known)
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else _large(value)
    if isinstance(value, float):
        return _float_json(value)
    if isinstance(value, str):
        return _describe_text(clean(str(value)))
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return {"$type": "bytes", "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath | PathLike):
        return _describe_text(clean(str(fspath(value))))
    if depth < _DEPTH_LIMIT:
        if isinstance(value, Mapping):
            described = {
                clean(str(k)): describe(v, depth + 1, known=known)
                for k, v in list(value.items())[:_ITEM_LIMIT]
            }
            if len(value) > _ITEM_LIMIT:
                described["$more"] = len(value) - _ITEM_LIMIT
            return described
        if isinstance(value, list | tuple):
            items = [describe(item, depth + 1, known=known) for item in value[:_ITEM_LIMIT]]
            if len(value) > _ITEM_LIMIT:
                items.append({"$more": len(value) - _ITEM_LIMIT})
            return items
    return _describe_type(value)


def _describe_text(text: str) -> Any:
    if len(text) <= _TEXT_LIMIT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"$type": "str", "size": len(text), "sha256": digest, "start": text[:80]}


def _describe_type(value: Any) -> dict[str, Any]:
    kind = type(value)
    described: dict[str, Any] = {"$type": f"{kind.__module__}.{kind.__qualname__}"}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(side, int) for side in shape):
        described["shape"] = list(shape)
        dtype = getattr(value, "dtype", None)
        if dtype is not None:
            described["dtype"] = str(dtype)
            if hasattr(value, "tobytes") and str(dtype) != "object":
                described["sha256"] = hashlib.sha256(value.tobytes()).hexdigest()
    return described
