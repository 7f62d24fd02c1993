"""Values of every common kind as the text of a JSON file."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from os import PathLike, fspath
from typing import Any, Final
from uuid import UUID

from vaportrail.telemetry.object_fields import fields_of, hides_a_field
from vaportrail.telemetry.values import float_json, scalar

__all__ = ["json_text"]

_TEXTS: Final = (Decimal, Fraction, UUID, complex)
_TIMES: Final = (datetime, date, time)


def json_text(value: Any) -> str:
    """Return a value as indented JSON; NaN and infinities, for which JSON has no form, as in the manifest.

    Raises:
        TypeError: something in it has no JSON form.
        ValueError: it holds itself, or two keys of a mapping have the same text.

    >>> json_text({"when": date(2026, 1, 2)})
    '{\\n  "when": "2026-01-02"\\n}'
    """
    return json.dumps(_plain(value, ()), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    value = scalar(value)
    if isinstance(value, Enum):
        return _plain(value.value, above)
    if isinstance(value, float):
        return float_json(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, _TIMES):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, _TEXTS):
        return str(value).strip("()")
    if isinstance(value, PathLike):
        return fspath(value)
    if id(value) in above:
        raise ValueError("Circular reference: it holds itself")
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return _mapping(value, inside)
    if isinstance(value, list | tuple | deque | range):
        return [_plain(item, inside) for item in value]
    if isinstance(value, Set):
        return sorted((_plain(item, inside) for item in value), key=lambda item: json.dumps(item))
    if hasattr(value, "model_dump") and not hides_a_field(value):
        return _plain(value.model_dump(mode="json"), inside)
    fields = fields_of(value)
    if fields is not None:
        return _mapping(fields, inside)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), inside)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _mapping(value: Mapping[Any, Any], above: tuple[int, ...]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    texts: set[str] = set()
    for key, item in value.items():
        plain = _plain(key, above)
        if not (plain is None or isinstance(plain, str | bool | int | float)):
            raise TypeError(f"a {type(key).__name__} has no JSON form as a key")
        text = plain if isinstance(plain, str) else json.dumps(plain)
        if text in texts:
            raise ValueError(f"two keys of a mapping are {text!r}")
        texts.add(text)
        found[plain] = _plain(item, above)
    return found
