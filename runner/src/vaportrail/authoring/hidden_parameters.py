"""Which parameters of a function must never be recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from vaportrail.authoring.callables import function_of
from vaportrail.telemetry.hidden import is_hidden, resolved_hints

__all__ = ["hidden_names"]


def hidden_names(fn: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a function's parameters whose values must not be recorded."""
    # Remembered by the function: an object that is called may have no hash.
    return _hidden_names(function_of(fn))


@lru_cache(maxsize=4096)
def _hidden_names(target: Callable[..., Any]) -> frozenset[str]:
    hints = resolved_hints(target, getattr(target, "__globals__", {}))
    return frozenset(name for name, annotation in hints.items() if is_hidden(annotation))
