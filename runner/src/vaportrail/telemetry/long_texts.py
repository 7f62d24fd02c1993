"""Texts that are too long for a record are cut, wherever the run is: they say how long they were.

A record is held in memory by everyone on its way, in small containers too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vaportrail.telemetry.json_attributes import JSON_ATTRIBUTES

__all__ = ["TEXT_LIMIT", "cut_long_texts"]

TEXT_LIMIT: Final = 1 << 20
"""Characters."""
_TEXT_KEYS: Final = frozenset({"stringValue", "name", "message"})


def cut_long_texts(value: Any, key: str = "") -> Any:
    """Return an OTLP record whose texts have at most `TEXT_LIMIT` characters and word of what is missing.

    >>> cut_long_texts({"stringValue": "x" * 2_000_000})["stringValue"][TEXT_LIMIT - 1:]
    'x… [cut: 2000000 characters in all]'
    """
    if isinstance(value, str):
        if key not in _TEXT_KEYS or len(value) <= TEXT_LIMIT:
            return value
        return f"{value[:TEXT_LIMIT]}… [cut: {len(value)} characters in all]"
    if isinstance(value, Mapping):
        # Half of such a text is none.
        if value.get("key") in JSON_ATTRIBUTES:
            return value
        return {name: cut_long_texts(item, name) for name, item in value.items()}
    return [cut_long_texts(item, key) for item in value] if isinstance(value, list) else value
