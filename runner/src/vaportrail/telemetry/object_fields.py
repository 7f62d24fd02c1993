"""Objects as their fields: dataclasses, models, attrs classes and namespaces, hidden fields masked."""

from __future__ import annotations

import dataclasses
import os
import sys
from argparse import Namespace
from collections import deque
from collections.abc import Mapping, Set
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from vaportrail.telemetry.hidden import HIDDEN_TEXT, is_hidden, is_secret_value, resolved_hints
from vaportrail.telemetry.secret_names import is_secret_field

__all__ = ["Unreadable", "fields_of", "hides_a_field"]

_NAMESPACES = (Namespace, SimpleNamespace)


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a field that raised where it was read.

    Attributes:
        raised: the exception's type; its message may hold anything.
    """

    raised: str


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return an object's fields by name; None where it is no object of fields.

    Masked is a field that is marked `Hidden`, whose type hides by itself, whose name says secret or
    that its class leaves out of its `repr`. pydantic and attrs are known by what their classes have;
    neither is imported.

    >>> fields_of(SimpleNamespace(depth=3))
    {'depth': 3}
    """
    if isinstance(value, _NAMESPACES):
        return {name: HIDDEN_TEXT if _is_secret(name) else field for name, field in vars(value).items()}
    masked = _masked(value)
    if masked is None:
        return None
    found = {}
    for name, hidden in masked.items():
        try:
            field = getattr(value, name)
        except AttributeError:  # one that was never set
            continue
        except Exception as error:
            field = Unreadable(type(error).__name__)
        found[name] = HIDDEN_TEXT if hidden or is_secret_value(field) else field
    extra = getattr(value, "__pydantic_extra__", None)
    return {**found, **extra} if isinstance(extra, Mapping) else found


def hides_a_field(value: Any, depth: int = 0) -> bool:
    """Return whether a value, or something in it, has fields that must not be recorded."""
    if depth > 8 or isinstance(value, str | bytes | int | float | None):
        return False
    if isinstance(value, _NAMESPACES):
        return any(map(_is_secret, vars(value))) or hides_a_field(vars(value), depth + 1)
    masked = _masked(value)
    if masked is not None:
        return any(masked.values()) or any(
            hides_a_field(getattr(value, name, None), depth + 1) for name in masked
        )
    if isinstance(value, Mapping):
        return any(hides_a_field(item, depth + 1) for item in value.values())
    return isinstance(value, list | tuple | deque | Set) and any(
        hides_a_field(item, depth + 1) for item in value
    )


def _is_secret(name: str) -> bool:
    return is_secret_field(name, os.environ)


def _masked(value: Any) -> dict[str, bool] | None:
    """Return an object's fields, and of each whether it is hidden; None where it has none."""
    kind: Any = type(value)
    fields = None if isinstance(value, type) else _fields(kind)
    return fields and {name: hidden or _is_secret(name) for name, hidden in fields.items()}


@lru_cache(maxsize=1024)
def _fields(kind: Any) -> dict[str, bool] | None:
    """Return a class's fields, and of each whether the class hides it; None where it has none."""
    shown: dict[str, bool] = {}
    if dataclasses.is_dataclass(kind):
        shown = {field.name: field.repr for field in dataclasses.fields(kind)}
    elif isinstance(getattr(kind, "__attrs_attrs__", None), tuple):
        shown = {field.name: bool(field.repr) for field in kind.__attrs_attrs__}
    elif hasattr(kind, "__pydantic_fields__") and hasattr(kind, "model_dump"):
        shown = {name: bool(field.repr) for name, field in kind.__pydantic_fields__.items()}
    else:
        return None
    hints = resolved_hints(kind, vars(sys.modules.get(kind.__module__, sys)))
    return {name: not told or is_hidden(hints.get(name)) for name, told in shown.items()}
