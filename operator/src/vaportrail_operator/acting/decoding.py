"""JSON of the API server, whatever is in it: what is nested too deeply is left out, and nothing else is lost.

Kubernetes takes 10,000 levels; a reader of JSON that calls itself takes fewer. One object must not keep
the others from being read, nor end the process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["TOO_DEEP", "decode", "decode_list"]


def _nested(levels: int) -> list[Any]:
    return [_nested(levels - 1)] if levels else []


TOO_DEEP: Final = _nested(150)
"""Stands in the place of a value that is: too deep for a PipelineRun still, and read by everything."""
_HOLDS: Final = 4
"""Levels down to which what can be read is kept beside what cannot: list, items, object, spec."""
_read: Final = json.JSONDecoder().raw_decode
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def decode(text: str) -> Any:
    """Return what a JSON text says, with `TOO_DEEP` for what is nested too deeply.

    Raises:
        ValueError: it is no JSON.

    >>> decode('{"a": [1]}')
    {'a': [1]}
    """
    value, end = _value(text, _skip(text, 0), _HOLDS)
    if _skip(text, end) != len(text):
        raise ValueError("more than one JSON value")
    return value


def decode_list(text: str, take: Callable[[Any], None]) -> dict[str, Any]:
    """Read a list of objects one by one: never are all of them there as objects.

    Args:
        text: the JSON of an object that has `items`.
        take: is given each item.

    Returns:
        The object without its items.

    Raises:
        ValueError: it is no JSON object.
    """

    def member(name: str, at: int) -> tuple[Any, int]:
        if name == "items" and text[at : at + 1] == "[":
            return [], _each(text, at, lambda start: _taken(text, start, take, _HOLDS))
        return _value(text, at, _HOLDS)

    found, _ = _object(text, _skip(text, 0), member)
    found.pop("items", None)
    return found


def _taken(text: str, at: int, take: Callable[[Any], None], holds: int) -> int:
    item, end = _value(text, at, holds)
    take(item)
    return end


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, holds: int) -> tuple[Any, int]:
    try:
        return _read(text, at)
    except RecursionError:
        pass
    if holds and text[at] == "{":
        return _object(text, at, lambda _, start: _value(text, start, holds - 1))
    if holds and text[at] == "[":
        items: list[Any] = []
        return items, _each(text, at, lambda start: _taken(text, start, items.append, holds - 1))
    return TOO_DEEP, _end_of(text, at)


def _object(text: str, at: int, member: Callable[[str, int], tuple[Any, int]]) -> tuple[dict[str, Any], int]:
    """Return an object and where it ends; `member` reads the value of a name from where it begins."""
    _expect(text, at, "{")
    found: dict[str, Any] = {}

    def one(start: int) -> int:
        name, end = _read(text, start)
        colon = _skip(text, end)
        _expect(text, colon, ":")
        found[name], end = member(name, _skip(text, colon + 1))
        return end

    return found, _each(text, at, one)


def _each(text: str, at: int, one: Callable[[int], int]) -> int:
    """Go through a list or object, whose bracket is at `at`; `one` is told where each part begins.

    Args:
        text: the JSON.
        at: of the bracket.
        one: reads a part and returns where it ends.
    """
    close = "]" if text[at] == "[" else "}"
    at = _skip(text, at + 1)
    if text[at : at + 1] == close:
        return at + 1
    while True:
        at = _skip(text, one(at))
        if text[at : at + 1] == close:
            return at + 1
        _expect(text, at, ",")
        at = _skip(text, at + 1)


def _expect(text: str, at: int, what: str) -> None:
    if text[at : at + 1] != what:
        raise ValueError(f"no {what!r} at {at}")


def _end_of(text: str, at: int) -> int:
    """Return where a list or object ends, by its brackets alone."""
    depth = 0
    for found in _BRACKETS.finditer(text, at):
        first = found[0][0]
        depth += (first in "[{") - (first in "]}")
        if not depth:
            return found.end()
    raise ValueError("a bracket is not closed")
