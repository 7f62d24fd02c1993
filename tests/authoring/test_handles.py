"""Handles: every use that needs the value is refused in words."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import copy
import io
import numbers
import operator
import os
import pickle
import types
from array import array
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaportrail.authoring.handle import Handle
from vaportrail.errors import HandleError, UsageError

NO_SESSION: Any = None


@pytest.fixture
def handle() -> Any:
    return Handle("train-2", NO_SESSION)


def unpack(handle: Any) -> None:
    _first, _second = handle


def enter(handle: Any) -> None:
    with handle:
        raise AssertionError("never entered")


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bool": (bool, "used as a condition"),
    "not": (lambda h: not h, "used as a condition"),
    "and": (lambda h: h and 1, "used as a condition"),
    "equal": (lambda h: h == 1, "compared"),
    "not equal": (lambda h: h != 1, "compared"),
    "iterate": (lambda h: list(h), "iterated over or unpacked"),
    "star": (lambda h: print(*h), "iterated over or unpacked"),
    "unpack": (unpack, "iterated over or unpacked"),
    "len": (len, r"measured with len\(\)"),
    "reversed": (reversed, "iterated over or unpacked"),
    "next": (next, "iterated over or unpacked"),
    "index": (lambda h: h[0], "indexed"),
    "slice": (lambda h: h[1:], "indexed"),
    "in": (lambda h: 3 in h, "searched"),
    "str": (str, "written into a text"),
    "print": (print, "written into a text"),
    "percent": (lambda h: "%s" % h, "written into a text"),  # noqa: UP031
    "f-string": (lambda h: f"{h}", "written into a text"),
    "bytes": (bytes, "written into a text"),
    "power": (lambda h: h**2, "calculated with"),
    "power of": (lambda h: 2**h, "calculated with"),
    "remainder": (lambda h: h % 2, "calculated with"),
    "floor": (lambda h: h // 2, "calculated with"),
    "matrix": (lambda h: h @ h, "calculated with"),
    "minus": (lambda h: -h, "calculated with"),
    "either": (lambda h: h | {}, "calculated with"),
    "add to": (lambda h: operator.iadd(h, 1), "calculated with"),
    "sum": (lambda h: sum([h, 1]), "calculated with"),
    "round": (round, "calculated with"),
    "greater": (lambda h: h > 2, "compared"),
    "max": (lambda h: max(h, 2), "compared"),
    "sort": (lambda h: sorted([h, 1]), "compared"),
    "int": (int, "used as a number"),
    "float": (float, "used as a number"),
    "range": (range, "used as a number"),
    "array": (np.asarray, "used as an array"),
    "array times": (lambda h: np.arange(3) * h, "used as an array"),
    "scalar times": (lambda h: np.float64(3) * h, "used as an array"),
    "path": (Path, "used as a path"),
    "open": (open, "used as a path"),
    "with": (enter, "entered with 'with'"),
    "set an item": (lambda h: operator.setitem(h, 0, 1), "changed"),
    "set an attribute": (lambda h: setattr(h, "rate", 1), "given an attribute 'rate'"),
    "take an attribute": (lambda h: delattr(h, "rate"), "changed at its attribute 'rate'"),
    "key": (lambda h: h["auc"], "indexed"),
    "call": (lambda h: h(1), "called"),
    "attribute": (lambda h: h.accuracy, "asked for its attribute 'accuracy'"),
    "method": (lambda h: h.mean(), "asked for its attribute 'mean'"),
    "pickle": (pickle.dumps, "pickled"),
    "copy": (copy.copy, "pickled or copied"),
    "deep copy": (copy.deepcopy, "pickled or copied"),
}


@pytest.mark.parametrize("use", REFUSED)
def test_a_handle_used_as_its_value_says_what_was_done_and_what_to_do(handle: Any, use: str) -> None:
    act, words = REFUSED[use]
    with pytest.raises(HandleError, match=words) as caught:
        act(handle)
    assert "'train-2'" in str(caught.value)
    assert "vaportrail.result(...)" in str(caught.value)


def test_a_refused_use_is_both_a_usage_error_and_a_type_error() -> None:
    assert issubclass(HandleError, UsageError)
    assert issubclass(HandleError, TypeError)


def test_a_handle_can_be_looked_at_while_debugging(handle: Any) -> None:
    assert repr(handle) == f"{handle!r}" == "<Handle of task 'train-2'>"


def test_an_awaited_handle_says_what_to_do(handle: Any) -> None:
    async def body() -> None:
        await handle

    with pytest.raises(HandleError, match="awaited"):
        asyncio.run(body())


VALUES = [
    int, float, complex, bool, str, bytes, bytearray, memoryview, list, tuple, dict, set, frozenset, range,
    type(None), deque, defaultdict, array, Decimal, Fraction, Path, Enum, datetime, timedelta, io.BytesIO,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.FunctionType,
    *(getattr(collections.abc, name) for name in collections.abc.__all__),
    numbers.Complex, numbers.Real, numbers.Integral, os.PathLike,
    contextlib.AbstractContextManager, contextlib.AbstractAsyncContextManager,
]  # fmt: skip
"""Types whose special methods are, together, those that Python's data model has for values."""

NOT_OF_A_VALUE = {
    # What every object has and a handle keeps.
    "__class__", "__delattr__", "__dir__", "__doc__", "__getattribute__", "__hash__", "__init__",
    "__init_subclass__", "__module__", "__new__", "__repr__", "__setattr__", "__sizeof__",
    "__subclasshook__", "__weakref__", "__getstate__", "__dict__", "__slots__", "__annotations__",
    "__static_attributes__", "__firstlineno__", "__del__",
    # Of classes and functions, of pickles and copies (which all begin with __reduce_ex__), of types.
    "__abstractmethods__", "__class_getitem__", "__orig_bases__", "__parameters__", "__base__",
    "__builtins__", "__closure__", "__code__", "__defaults__", "__get__", "__globals__",
    "__kwdefaults__", "__name__", "__qualname__", "__type_params__", "__members__",
    "__getnewargs__", "__getnewargs_ex__", "__getinitargs__", "__setstate__", "__copy__", "__deepcopy__",
    "__signature__", "__match_args__", "__getformat__",
    # Buffers are asked for in C, from Python 3.12 on by these.
    "__buffer__", "__release_buffer__", "__alloc__",
}  # fmt: skip


def test_every_special_method_that_a_value_may_have_is_refused(handle: Any) -> None:
    methods = {name for kind in VALUES for name in dir(kind) if name.startswith("__")} - NOT_OF_A_VALUE
    assert len(methods) > 70
    silent = []
    for name in sorted(methods):
        try:
            getattr(handle, name)()
        except HandleError:
            continue
        except Exception:
            pass
        silent.append(name)
    assert silent == []


def test_a_handle_can_be_a_key_and_is_found_again(handle: Any) -> None:
    other = Handle("train-3", NO_SESSION)
    assert {handle: "a", other: "b"}[handle] == "a"
    assert handle in [other, handle][1:]


def test_special_names_are_plainly_missing_so_that_libraries_can_ask(handle: Any) -> None:
    assert not hasattr(handle, "__dataframe__")
