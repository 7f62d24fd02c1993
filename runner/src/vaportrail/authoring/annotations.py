"""Annotations of a pipeline's parameters: read one by one, and made into what checks and converts values."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_type_hints

import pydantic
import pydantic.warnings

from vaportrail.authoring.callables import function_of
from vaportrail.errors import UsageError

__all__ = ["AnnotationError", "adapter_of", "resolved_annotation", "takes_none"]


class AnnotationError(UsageError):
    """An annotation cannot be read, or values cannot be checked by it."""


def resolved_annotation(fn: Callable[..., Any], name: str) -> Any:
    """Return the annotation of one parameter; Any where there is none.

    Raises:
        AnnotationError: it is a text that cannot be evaluated.
    """
    function = function_of(fn)
    annotations = getattr(function, "__annotations__", {})
    if name not in annotations:
        return Any
    alone = SimpleNamespace(__annotations__={name: annotations[name]})
    try:
        found = get_type_hints(alone, getattr(function, "__globals__", {}), include_extras=True)
    except NameError as error:
        raise AnnotationError(
            f"its annotation cannot be resolved: {error}; import what it names at run time, not only under "
            "TYPE_CHECKING"
        ) from None
    except Exception as error:
        raise AnnotationError(
            f"its annotation {annotations[name]!r} is no type: {_first_line(error)}; a note belongs into "
            "Annotated[..., 'note'] or a comment"
        ) from None
    return found[name]


def adapter_of(annotation: Any) -> pydantic.TypeAdapter[Any]:
    """Return what checks and converts values by an annotation.

    Raises:
        AnnotationError: values cannot be checked by it.
    """
    try:
        with warnings.catch_warnings():
            # What is no type, such as `any` or `np.array`, takes anything, as it does in Python.
            warnings.simplefilter("ignore", pydantic.warnings.ArbitraryTypeWarning)
            adapter = _adapter(annotation)
            adapter.rebuild(force=False, raise_errors=True)
    except Exception as error:
        raise AnnotationError(f"its annotation cannot be used: {_first_line(error)}") from None
    return adapter


def _adapter(annotation: Any) -> pydantic.TypeAdapter[Any]:
    try:
        return pydantic.TypeAdapter(annotation, config=pydantic.ConfigDict(arbitrary_types_allowed=True))
    except pydantic.PydanticUserError:  # the type brings a configuration of its own
        return pydantic.TypeAdapter(annotation)


def takes_none(adapter: pydantic.TypeAdapter[Any]) -> bool:
    """Return whether None is one of the values that an annotation allows."""
    try:
        return adapter.validate_python(None) is None
    except pydantic.ValidationError:
        return False


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
