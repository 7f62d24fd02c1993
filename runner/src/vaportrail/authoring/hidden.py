"""What must never be recorded: parameters and arguments that are marked as hidden."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, get_type_hints

__all__ = ["HIDDEN_TEXT", "Hidden", "hidden_names", "is_hidden"]

HIDDEN_TEXT: Final = "<hidden>"
"""What a record says in the place of a hidden value."""


class Hidden:
    """Marks a parameter or argument whose value is never recorded: ``Annotated[str, Hidden]``.

    Example:
        >>> from typing import Annotated
        >>> from vaportrail import Hidden, pipeline
        >>> @pipeline
        ... def nightly(api_key: Annotated[str, Hidden]) -> None: ...
    """


def is_hidden(annotation: Any) -> bool:
    """Return whether an annotation says that values must not be recorded."""
    marks = getattr(annotation, "__metadata__", ())
    return _is_secret_type(annotation) or any(mark is Hidden or isinstance(mark, Hidden) for mark in marks)


def _is_secret_type(annotation: Any) -> bool:
    # By name: pydantic need not be imported to know its type.
    names = ("SecretStr", "SecretBytes")
    return getattr(annotation, "__name__", "") in names and annotation.__module__.startswith("pydantic")


@lru_cache(maxsize=4096)
def hidden_names(fn: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a function's parameters whose values must not be recorded."""
    try:
        hints = get_type_hints(fn, include_extras=True)
    except Exception:
        hints = getattr(fn, "__annotations__", {})
    return frozenset(name for name, annotation in hints.items() if is_hidden(annotation))
