"""What a record says of arguments and parameters: JSON by a table of known types that leaks nothing."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from os import PathLike, fspath
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from vaportrail.telemetry.hidden import HIDDEN_TEXT, is_secret_value
from vaportrail.telemetry.object_fields import Unreadable, fields_of
from vaportrail.telemetry.values import clean, float_json, large_integer, scalar

__all__ = ["describe"]

_INT64: Final = 2**63
_TEXT_LIMIT: Final = 1024
_ITEM_LIMIT: Final = 100
_DEPTH_LIMIT: Final = 6
_EXACT: Final = (Decimal, Fraction, UUID, range)
"""Types whose text is all there is to them."""
_GUESSED_LIMIT: Final = 1 << 20
"""Bytes: nobody guesses what is longer from its hash."""
_TEXT_ENCODING: Final = {"S": "utf-8", "U": "utf-32-le"}
"""How NumPy's arrays of texts are encoded, by the kind of their type."""
_Plain = Callable[[str], str]


def describe(
    value: Any,
    depth: int = 0,
    *,
    known: Callable[[Any], Any] = lambda _value: None,
    plain: Callable[[str], str] = lambda text: text,
) -> Any:
    """Return what a record may say of a value: JSON by a table of known types.

    Small plain values are themselves; long text and bytes are cut and named by their SHA-256;
    arrays and tables are named by shape, type and SHA-256; dataclasses, models and namespaces are
    their fields, hidden ones masked; whatever else there is, only its type, because a `repr` can
    leak a secret for good. What is cut or hashed is without secrets before: half of one would not be
    known as one, and a short one can be guessed from its hash. What raises where it is looked at, as
    a field that is loaded when it is asked for, is its type and that of what it raised.

    Args:
        value: what to describe.
        depth: how deep within the argument it is.
        known: says of types of its own what they are described as, of all others None.
        plain: takes the secrets out of a text.

    >>> describe({"size": 3, "names": {"b", "a"}})
    {'size': 3, 'names': ['a', 'b']}
    """
    try:
        return _describe(value, depth, known, plain)
    except Exception as error:  # whatever an object of the user's does: to be told of ends nothing
        return {"$type": _name(type(value)), "raised": type(error).__name__}


def _describe(value: Any, depth: int, known: Callable[[Any], Any], plain: _Plain) -> Any:
    told = known(value)
    if told is not None:
        return told
    if is_secret_value(value):
        return HIDDEN_TEXT
    if isinstance(value, Unreadable):
        return {"$type": "unknown", "raised": value.raised}
    value = scalar(value)
    told = _describe_plain(value, plain)
    if told is not _UNKNOWN:
        return told
    if isinstance(value, Enum):
        return describe(value.value, depth, known=known, plain=plain)
    if depth < _DEPTH_LIMIT:
        fields = fields_of(value)
        if fields is not None or isinstance(value, Mapping):
            return _describe_mapping(value if fields is None else fields, depth, known, plain)
        if isinstance(value, list | tuple | deque):
            return _describe_items(list(value), depth, known, plain)
        if isinstance(value, Set):
            items = _describe_items(list(value), depth, known, plain)
            return sorted(items, key=lambda item: (isinstance(item, dict), json.dumps(item, default=str)))
    return _describe_type(value, plain)


_UNKNOWN: Final = object()


def _describe_plain(value: Any, plain: _Plain) -> Any:
    if isinstance(value, Enum):
        return _UNKNOWN
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else large_integer(value)
    if isinstance(value, float):
        return float_json(value)
    if isinstance(value, str):
        return _describe_text(plain(clean(str(value))))
    if isinstance(value, bytes | bytearray | memoryview):
        raw = _plain_bytes(bytes(value), plain)
        return {"$type": "bytes", "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, complex):
        return str(value).strip("()")
    if isinstance(value, _EXACT):
        return _describe_text(plain(str(value)))
    if isinstance(value, PurePath | PathLike):
        return _describe_text(plain(clean(str(fspath(value)))))
    return _UNKNOWN


def _describe_mapping(
    value: Mapping[Any, Any], depth: int, known: Callable[[Any], Any], plain: _Plain
) -> dict[str, Any]:
    described = {
        clean(str(k.value if isinstance(k, Enum) else k)): describe(v, depth + 1, known=known, plain=plain)
        for k, v in list(value.items())[:_ITEM_LIMIT]
    }
    if len(value) > _ITEM_LIMIT:
        described["$more"] = len(value) - _ITEM_LIMIT
    return described


def _describe_items(value: list[Any], depth: int, known: Callable[[Any], Any], plain: _Plain) -> list[Any]:
    items = [describe(item, depth + 1, known=known, plain=plain) for item in value[:_ITEM_LIMIT]]
    if len(value) > _ITEM_LIMIT:
        items.append({"$more": len(value) - _ITEM_LIMIT})
    return items


def _describe_text(text: str) -> Any:
    if len(text) <= _TEXT_LIMIT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"$type": "str", "size": len(text), "sha256": digest, "start": text[:80]}


def _plain_bytes(raw: bytes, plain: _Plain, encoding: str = "utf-8") -> bytes:
    if len(raw) > _GUESSED_LIMIT:
        return raw
    text = raw.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
    without = plain(text)
    return raw if without == text else without.encode(encoding, "surrogateescape")


def _describe_type(value: Any, plain: _Plain) -> dict[str, Any]:
    described: dict[str, Any] = {"$type": _name(type(value))}
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(side, int) for side in shape):
        described["shape"] = list(shape)
        dtype = getattr(value, "dtype", None)
        if dtype is not None:
            described["dtype"] = str(dtype)
            if hasattr(value, "tobytes") and str(dtype) != "object":
                raw = value.tobytes()
                if getattr(dtype, "kind", "") in _TEXT_ENCODING:
                    raw = _plain_bytes(raw, plain, _TEXT_ENCODING[dtype.kind])
                described["sha256"] = hashlib.sha256(raw).hexdigest()
    return described


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
