"""What may be made a task or a pipeline: functions that have a result when they return."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["function_of", "lazy_kind", "name_of", "place_of"]

_KINDS = (
    (inspect.iscoroutinefunction, "a coroutine function"),
    (inspect.isasyncgenfunction, "an asynchronous generator function"),
    (inspect.isgeneratorfunction, "a generator function"),
)


def lazy_kind(fn: Callable[..., Any]) -> str:
    """Return what a function is whose call runs nothing of it yet, in words; empty where it runs.

    >>> async def later() -> None: ...
    >>> lazy_kind(later)
    'a coroutine function'
    """
    for candidate in (fn, fn if inspect.isroutine(fn) or isinstance(fn, partial) else type(fn).__call__):
        for is_kind, words in _KINDS:
            if is_kind(candidate):
                return words
    return ""


def name_of(fn: Callable[..., Any]) -> str:
    """Return a function's name; a partial's is that of the function in it, an object's its type's."""
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__name__", type(fn).__name__))


def function_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that says which parameters a call takes, with its annotations.

    That is the one in a partial, a method or a decorator's wrapper; of an object its type's.
    """
    while isinstance(fn, partial):
        fn = fn.func
    called: Any = fn if inspect.isroutine(fn) or inspect.isclass(fn) else type(fn).__call__
    function: Callable[..., Any] = inspect.unwrap(getattr(called, "__func__", called))
    return function


def place_of(fn: Callable[..., Any]) -> str:
    """Return where a function is defined, ``module:name``."""
    return f"{function_of(fn).__module__}:{getattr(fn, '__qualname__', name_of(fn))}"
