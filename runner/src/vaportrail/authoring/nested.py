"""Handles inside lists, tuples and dicts: found, replaced, and refused inside anything else."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Set, ValuesView
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from vaportrail.authoring.handle import Handle
from vaportrail.errors import HandleError

__all__ = ["filled", "handles_in"]

_LEAVES: Final = (
    str, bytes, bytearray, int, float, complex, type(None),
    type, ModuleType, FunctionType, BuiltinFunctionType, MethodType,
)  # fmt: skip

_MOST_OBJECTS: Final = 10_000
"""How many objects are searched for a handle that lies where none is looked for."""


def handles_in(value: object, asked: str) -> list[Handle]:
    """Return the handles in `value`: itself, or within lists, tuples and the values of dicts.

    Args:
        value: what the user gave.
        asked: which function it was given to, for the error.

    Raises:
        HandleError: a handle lies in something that is not looked into, or in an iterator.
    """
    found: list[Handle] = []
    seen: set[int] = set()
    todo: deque[object] = deque([value])
    while todo:
        item = todo.popleft()
        if isinstance(item, Handle):
            found.append(item)
        elif isinstance(item, _LEAVES) or id(item) in seen:
            continue
        elif isinstance(item, list | tuple | dict):
            seen.add(id(item))
            if isinstance(item, dict):
                _refuse_keys(item, asked)
            todo.extendleft(reversed(list(item.values() if isinstance(item, dict) else item)))
        else:
            _refuse_others(item, asked)
    return found


def filled(value: Any, fill: Callable[[Handle], Any]) -> Any:
    """Return `value` with each handle in it replaced; what holds none is the same object as before.

    >>> filled({"a": [1, 2]}, lambda handle: None)
    {'a': [1, 2]}
    """
    if isinstance(value, Handle):
        return fill(value)
    if not isinstance(value, list | tuple | dict) or not handles_in(value, "result()"):
        return value
    if isinstance(value, dict):
        changed = copy.copy(value)
        for key, item in value.items():
            changed[key] = filled(item, fill)
        return changed
    items = [filled(item, fill) for item in value]
    if isinstance(value, list):
        same = copy.copy(value)
        same[:] = items
        return same
    make = getattr(type(value), "_make", type(value))  # a named tuple takes its items one by one
    return make(items)


def _refuse_keys(mapping: dict[Any, Any], asked: str) -> None:
    for key in mapping:
        if isinstance(key, Handle):
            raise HandleError(
                f"{asked} does not look at the keys of a dict, and {key!r} is one: give it the handles as a "
                "list, such as list(tasks)"
            )


def _refuse_others(item: object, asked: str) -> None:
    kind = type(item).__name__
    if isinstance(item, Iterator) and not hasattr(item, "read"):
        raise HandleError(
            f"{asked} cannot look into a {kind} for handles without using it up: make it a list first"
        )
    handle = _handle_inside(item)
    if handle is not None:
        raise HandleError(
            f"{asked} looks for handles in lists, tuples and dicts only, and {handle!r} is inside a {kind}: "
            "give it the handle itself, or a list of them"
        )


def _handle_inside(value: object) -> Handle | None:
    """Return a handle that some other object holds, if there is one near."""
    seen: set[int] = set()
    todo: deque[object] = deque([value])
    while todo and len(seen) < _MOST_OBJECTS:
        item = todo.popleft()
        if isinstance(item, Handle):
            return item
        if isinstance(item, _LEAVES) or id(item) in seen or hasattr(type(item), "dtype"):
            continue
        seen.add(id(item))
        todo.extend(_inside(item))
    return None


def _inside(item: object) -> list[object]:
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, list | tuple | Set | deque | KeysView | ValuesView | ItemsView):
        return list(item)
    if isinstance(item, partial):
        return [item.args, item.keywords]
    slots = [name for kind in type(item).__mro__ for name in _names(kind.__dict__.get("__slots__", ()))]
    return [*getattr(item, "__dict__", {}).values(), *(getattr(item, name, None) for name in slots)]


def _names(slots: Any) -> list[str]:
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if not name.startswith("__")]
