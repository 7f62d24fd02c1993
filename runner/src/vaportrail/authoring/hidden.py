"""What must never be recorded: parameters and arguments that are marked as hidden."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, get_args, get_type_hints

from vaportrail.authoring.callables import function_of

__all__ = ["HIDDEN_TEXT", "Hidden", "hidden_names", "is_hidden"]

HIDDEN_TEXT: Final = "<hidden>"
"""What a record says in the place of a hidden value."""

_SECRET_TYPES: Final = ("SecretStr", "SecretBytes")


class Hidden:
    """Marks a parameter or argument whose value is never recorded: ``Annotated[str, Hidden]``.

    Example:
        >>> from typing import Annotated
        >>> from vaportrail import Hidden, pipeline
        >>> @pipeline
        ... def nightly(api_key: Annotated[str, Hidden]) -> None: ...
    """


def is_hidden(annotation: Any) -> bool:
    """Return whether an annotation, or a part of it, says that values must not be recorded."""
    if isinstance(annotation, str):  # it could not be resolved: rather hide too much
        return any(word in annotation for word in ("Hidden", *_SECRET_TYPES))
    marks = getattr(annotation, "__metadata__", ())
    return (
        _is_secret_type(annotation)
        or any(mark is Hidden or isinstance(mark, Hidden) for mark in marks)
        or any(is_hidden(part) for part in get_args(annotation) if not isinstance(part, str))
    )


def _is_secret_type(annotation: Any) -> bool:
    # By name: pydantic need not be imported to know its type.
    module = getattr(annotation, "__module__", None) or ""
    return getattr(annotation, "__name__", "") in _SECRET_TYPES and module.startswith("pydantic")


def hidden_names(fn: Callable[..., Any]) -> frozenset[str]:
    """Return the names of a function's parameters whose values must not be recorded."""
    # Remembered by the function: an object that is called may have no hash.
    return _hidden_names(function_of(fn))


@lru_cache(maxsize=4096)
def _hidden_names(target: Callable[..., Any]) -> frozenset[str]:
    try:
        hints = get_type_hints(target, include_extras=True)
    except Exception:
        hints = _hints_one_by_one(target)
    return frozenset(name for name, annotation in hints.items() if is_hidden(annotation))


def _hints_one_by_one(fn: Callable[..., Any]) -> dict[str, Any]:
    """Resolve each annotation by itself; one that cannot be resolved stays the text it is."""
    hints: dict[str, Any] = {}
    names = {**getattr(fn, "__globals__", {})}
    for name, annotation in getattr(fn, "__annotations__", {}).items():
        if isinstance(annotation, str):
            with suppress(Exception):
                annotation = eval(annotation, names)
        hints[name] = annotation
    return hints
