"""Facts that are trees, each as JSON inside one attribute: arguments, options, edges, parameters.

OTLP's own trees are not for attributes of log records in every store, and their numbers are texts; so
what has a shape travels as JSON. It is encoded and decoded here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from vaportrail.errors import RecordError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import clean

__all__ = ["JSON_ATTRIBUTES", "decode_attribute", "encode_attribute"]

JSON_ATTRIBUTES: Final = frozenset(row.name for row in c.ATTRIBUTES if row.type == "string (JSON)")
"""The attributes whose text is JSON."""

_SURROGATE: Final = "\\ud"
_Kind = TypeVar("_Kind", dict[str, Any], list[Any])


def encode_attribute(value: Any) -> str:
    """Return a tree as the text of an attribute; `decode_attribute` is the inverse.

    >>> encode_attribute({"n": 3})
    '{"n": 3}'
    >>> encode_attribute({"name": "\\udcff"})
    '{"name": "\\\\\\\\udcff"}'
    """
    text = json.dumps(value)
    # A name of a file need not be Unicode; JSON that is not cannot be read by everybody.
    return json.dumps(_clean(value)) if _SURROGATE in text else text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list | tuple) else value


def decode_attribute(named: Mapping[str, Any], attribute: str, kind: type[_Kind]) -> _Kind:
    """Return the tree that an attribute holds.

    Args:
        named: a record's attributes.
        attribute: which one.
        kind: what it must be, `dict` or `list`.

    Raises:
        RecordError: it is missing, no JSON, or something else; the message names the attribute.

    >>> decode_attribute({"vaportrail.run.tags": '{"team": "vision"}'}, "vaportrail.run.tags", dict)
    {'team': 'vision'}
    """
    text = named.get(attribute)
    if not isinstance(text, str):
        raise RecordError(f"attribute {attribute} is not there as JSON text: it is {_kind(text)}")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RecordError(f"attribute {attribute} holds no JSON: {error}") from None
    except RecursionError:
        raise RecordError(f"attribute {attribute} holds JSON that is too deep") from None
    if not isinstance(found, kind):
        raise RecordError(f"attribute {attribute} is {_kind(found)}, where a {kind.__name__} belongs")
    return found


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
