"""Values so small and plain that they travel with what is said of them, and not as objects of Ray's."""

from __future__ import annotations

import pickle
from typing import Any, Final, NamedTuple

__all__ = ["PlainValue", "is_plain", "pack_plain"]

_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_COLLECTIONS: Final = frozenset({list, tuple, dict})
_MOST: Final = 64
"""Items of a list, a tuple or a dict."""
_LARGEST: Final = 4096
"""Bytes, packed."""


class PlainValue(NamedTuple):
    """A value, packed; each that loads it has one of its own."""

    raw: bytes

    def load(self) -> Any:
        """Return the value."""
        return pickle.loads(self.raw)


def is_plain(value: Any) -> bool:
    """Return whether a value is of types that anybody can load, and has few items, each of them short."""
    kind = type(value)
    if kind in _SCALARS:
        return _is_short(value)
    if kind not in _COLLECTIONS or len(value) > _MOST:
        return False
    items = (*value, *value.values()) if kind is dict else value
    return all(type(item) in _SCALARS and _is_short(item) for item in items)


def pack_plain(value: Any) -> bytes | None:
    """Return a value as bytes; None where it is not small and plain.

    >>> pack_plain([1, "two"]) is not None, pack_plain(b"0" * 5000), pack_plain([[]])
    (True, None, None)
    """
    if not is_plain(value):
        return None
    raw = pickle.dumps(value, protocol=5)
    return raw if len(raw) <= _LARGEST else None


def _is_short(scalar: Any) -> bool:
    kind = type(scalar)
    if kind is str or kind is bytes:
        return len(scalar) <= _LARGEST
    return kind is not int or scalar.bit_length() <= _LARGEST
