"""Numbers in mappings, lists and arrays as metrics of their own names: `roc_auc/3`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

from vaportrail.errors import UsageError

__all__ = ["named_metrics", "number"]

SEPARATOR: Final = "/"
"""Between the parts of a name, as for files; what reads metrics elsewhere groups by it, too."""

MOST: Final = 1000
"""How many metrics one call may name. More is a curve or a table, not metrics of their own."""


def named_metrics(name: str, values: Any) -> dict[str, float | int]:
    """Return the numbers within `values` by the names they get below `name`.

    Args:
        name: put before each key; may be empty where `values` is a mapping.
        values: a mapping, list, tuple, array or Series of numbers, or of more of these.

    Raises:
        UsageError: something in it is no number, two numbers get one name, or there are too many.

    >>> named_metrics("roc_auc", {0: 0.99, 1: 0.98, "micro": 0.97})
    {'roc_auc/0': 0.99, 'roc_auc/1': 0.98, 'roc_auc/micro': 0.97}
    """
    if _items(values) is None:
        raise UsageError(
            f"metrics {name!r}: {type(values).__name__} is not a mapping, a list or an array of numbers; "
            "one number is a log.metric"
        )
    found: dict[str, float | int] = {}
    for key, value in _flat(name, values, ()):
        if key in found:
            raise UsageError(f"metrics: two numbers would have the name {key!r}; give them different keys")
        if len(found) == MOST:
            raise UsageError(
                f"metrics {name!r}: more than {MOST} names in one call; a curve is log.metric(..., step=n) "
                "for each of its points, a table is log.table"
            )
        found[key] = number(key, value)
    return found


def _flat(name: str, value: Any, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    items = _items(value)
    if items is None:
        yield name, value
        return
    if id(value) in above:
        raise UsageError(f"metrics {name!r}: it holds itself")
    for key, item in items:
        part = key.value if isinstance(key, Enum) else key
        # Where nothing stands before it, a key is a name, and whether it may be one is for others to say.
        below = f"{name}{SEPARATOR}{part}" if name else part
        yield from _flat(below, item, (*above, id(value)))


def _items(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return what is inside a container with its keys; None where it is none."""
    if isinstance(value, Mapping):
        return iter(value.items())
    if hasattr(value, "to_dict") and hasattr(value, "index"):  # a Series, or a table by its columns
        found: Mapping[Any, Any] = value.to_dict()
        return iter(found.items())
    if getattr(value, "shape", ()) != () and hasattr(value, "tolist"):
        value = value.tolist()
    return iter(enumerate(value)) if isinstance(value, list | tuple) else None


def number(name: str, value: Any) -> float | int:
    """Return a metric's value as a plain number.

    Raises:
        UsageError: it is none, or too large for a metric.
    """
    try:
        plain = value.item() if hasattr(value, "item") else value
    except (TypeError, ValueError, RuntimeError):  # an array of several
        plain = value
    if isinstance(plain, bool):
        return int(plain)
    if isinstance(plain, int) and abs(plain) >= 2**1023:
        raise UsageError(f"metric {name!r}: the number is too large for a metric; use log.param")
    if isinstance(plain, int | float):
        return plain
    if _items(value) is not None:
        raise UsageError(
            f"metric {name!r}: {type(value).__name__} is not a number; log.metrics({name!r}, ...) records "
            "each number in it"
        )
    try:
        return float(plain.__float__())
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"metric {name!r}: {type(value).__name__} is not a number; use log.param or log.json"
        ) from None
