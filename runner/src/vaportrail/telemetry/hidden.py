"""What is marked as hidden: the mark, the types that hide by themselves, and what is said instead."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, get_args, get_type_hints

__all__ = ["HIDDEN_TEXT", "Hidden", "is_hidden", "is_secret_value", "resolved_hints"]

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


def is_secret_value(value: Any) -> bool:
    """Return whether a value is of a type that hides by itself, wherever it stands."""
    return _is_secret_type(type(value))


def resolved_hints(target: Any, names: dict[str, Any]) -> dict[str, Any]:
    """Return the annotations of a function or class; one that cannot be resolved stays the text it is."""
    try:
        return get_type_hints(target, include_extras=True)
    except Exception:
        hints: dict[str, Any] = {}
    kinds = reversed(target.__mro__) if isinstance(target, type) else (target,)
    for kind in kinds:
        for name, annotation in getattr(kind, "__annotations__", {}).items():
            if isinstance(annotation, str):
                with suppress(Exception):
                    annotation = eval(annotation, dict(names))
            hints[name] = annotation
    return hints
