"""Python values as OTLP's `AnyValue`, and back.

Both directions are written out because the SDK's own rules lose data silently: NumPy scalars
become strings, integers beyond 64 bits vanish, a lone surrogate makes the line invalid.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from typing import Any

__all__ = [
    "attributes",
    "clean",
    "float_json",
    "from_any_value",
    "large_integer",
    "read_attributes",
    "scalar",
    "to_any_value",
]

_INT64 = 2**63
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def clean(text: str) -> str:
    """Return `text` with lone surrogates made visible, so that it can be UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def scalar(value: Any) -> Any:
    """Unwrap a NumPy-like scalar (anything 0-dimensional with `item()`); else return as is.

    Dates become ISO 8601 and lengths of time seconds: their integers say nothing without their unit.
    """
    if not hasattr(value, "item") or getattr(value, "shape", None) != ():
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M":
        return str(value)
    if kind == "m":
        if str(value.dtype) in ("timedelta64[M]", "timedelta64[Y]"):  # of no one length
            return str(value)
        length = value.astype("timedelta64[us]").item()
        return str(value) if length is None else length.total_seconds()
    return value.item()


def to_any_value(value: Any) -> dict[str, Any]:
    """Return `value` in OTLP's JSON form of `AnyValue`.

    Integers outside 64 bits become strings; NaN and infinities are the protobuf JSON mapping's
    strings; unknown types become their `str()`.

    >>> to_any_value([1, 2.5, None])
    {'arrayValue': {'values': [{'intValue': '1'}, {'doubleValue': 2.5}, {}]}}
    """
    value = scalar(value)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return {"stringValue": clean(str(value))}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        if -_INT64 <= value < _INT64:
            return {"intValue": str(int(value))}
        return {"stringValue": large_integer(value)}
    if isinstance(value, float):
        return {"doubleValue": float_json(value)}
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


def large_integer(value: int) -> str:
    """Return an integer beyond 64 bits as text; Python refuses decimals of very large ones."""
    return str(value) if value.bit_length() <= 1024 else hex(value)


def float_json(value: float) -> float | str:
    """Return a number as JSON can hold it; NaN and infinities are the protobuf JSON mapping's texts."""
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
