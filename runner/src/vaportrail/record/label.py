"""A task's name with the plain arguments that tell it from its siblings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

__all__ = ["call_label", "id_label"]

_TEXT_LIMIT: Final = 40
"""Characters of one argument, but for the sign that some are left out."""
_LOOKED_AT: Final = 20
"""Items of a container."""
_DEPTH_LIMIT: Final = 2
"""Containers in each other."""


def call_label(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as a person would write it, its large and upstream arguments left out.

    Of lists and mappings it has the beginning; `…` stands for what is left out of them.

    >>> call_label("train", {"n": 600, "grid": {"max_depth": 2}, "split": {"$task": "split-1"}})
    'train(n=600, grid={max_depth=2})'
    """
    return f"{name}({_plain_arguments(arguments)})"


def id_label(task_id: str, arguments: Mapping[str, Any]) -> str:
    """Return a task's id with the same arguments.

    >>> id_label("train-1", {"n": 600})
    'train-1 (n=600)'
    """
    plain = _plain_arguments(arguments)
    return f"{task_id} ({plain})" if plain else task_id


def _plain_arguments(arguments: Mapping[str, Any]) -> str:
    shown = ((key, _shown(value, _TEXT_LIMIT)) for key, value in arguments.items() if value is not None)
    return ", ".join(f"{key}={text}" for key, text in shown if text)


def _shown(value: Any, room: int, depth: int = 0) -> str:
    """Return a recorded value in a few words; nothing where it has no short form."""
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= room else ""
    if depth == _DEPTH_LIMIT:
        return ""
    if isinstance(value, list):
        return _items([("", item) for item in value[:_LOOKED_AT]], len(value), "[]", room, depth)
    if isinstance(value, Mapping) and not value.keys() & {"$task", "$type"}:
        named = [(f"{key}=", item) for key, item in islice(value.items(), _LOOKED_AT)]
        return _items(named, len(value), "{}", room, depth)
    return ""


def _items(items: Sequence[tuple[str, Any]], size: int, brackets: str, room: int, depth: int) -> str:
    shown: list[str] = []
    left = room - len(brackets)
    for name, item in items:
        text = "" if name == "$more=" else _shown(item, left, depth + 1)
        if text and len(name) + len(text) <= left:
            shown.append(name + text)
            left -= len(name) + len(text) + len(", ")
    if size and not shown:
        return ""
    return f"{brackets[0]}{', '.join([*shown, '…'] if len(shown) < size else shown)}{brackets[1]}"
