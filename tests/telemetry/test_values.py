"""Values in OTLP's JSON form and back, and descriptions of arguments that leak nothing."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from argparse import Namespace
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import attrs
import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import Hidden
from vaportrail.telemetry.values import (
    attributes,
    from_any_value,
    read_attributes,
    to_any_value,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | INT64 | st.floats() | TEXT | st.binary(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ANYTHING = st.recursive(
    SCALARS | st.integers() | st.text() | st.sets(st.integers()) | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


def exact(value: Any) -> Any:
    """Return a form in which two values are equal only if type and bits are."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return type(value).__name__, value


@given(VALUES)
def test_a_value_comes_back_from_otlp_as_it_was(value: Any) -> None:
    assert exact(from_any_value(to_any_value(value))) == exact(value)


@given(VALUES)
def test_a_value_comes_back_through_a_line_of_json(value: Any) -> None:
    line = json.dumps(to_any_value(value), allow_nan=False, ensure_ascii=False).encode()
    assert exact(from_any_value(json.loads(line))) == exact(value)


@given(ANYTHING)
def test_whatever_it_is_it_becomes_json_that_is_utf_8(value: Any) -> None:
    json.dumps(to_any_value(value), allow_nan=False, ensure_ascii=False).encode()


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_attributes_come_back_without_those_that_are_none(values: dict[str, Any]) -> None:
    kept = {key: value for key, value in values.items() if value is not None}
    assert exact(read_attributes(attributes(values))) == exact(kept)


@pytest.mark.parametrize(
    ("value", "otlp"),
    [
        (True, {"boolValue": True}),
        (2**63 - 1, {"intValue": "9223372036854775807"}),
        (-(2**63), {"intValue": "-9223372036854775808"}),
        (2**63, {"stringValue": "9223372036854775808"}),
        (-(2**63) - 1, {"stringValue": "-9223372036854775809"}),
        (math.inf, {"doubleValue": "Infinity"}),
        (-math.inf, {"doubleValue": "-Infinity"}),
        (math.nan, {"doubleValue": "NaN"}),
        (None, {}),
        (b"\x00", {"bytesValue": "AA=="}),
        ((1,), {"arrayValue": {"values": [{"intValue": "1"}]}}),
        ({2, 1}, {"arrayValue": {"values": [{"intValue": "1"}, {"intValue": "2"}]}}),
        ({1: 2}, {"kvlistValue": {"values": [{"key": "1", "value": {"intValue": "2"}}]}}),
        ("\ud800", {"stringValue": "\\ud800"}),
        (Path("a/b"), {"stringValue": "a/b"}),
        (np.int64(3), {"intValue": "3"}),
        (np.float32(0.5), {"doubleValue": 0.5}),
        (np.bool_(True), {"boolValue": True}),
        (np.str_("s"), {"stringValue": "s"}),
        (np.array(7), {"intValue": "7"}),
        (np.float64("nan"), {"doubleValue": "NaN"}),
    ],
    ids=repr,
)
def test_a_value_has_this_form_in_otlp(value: object, otlp: dict[str, Any]) -> None:
    assert to_any_value(value) == otlp


def test_a_key_with_a_lone_surrogate_is_made_visible() -> None:
    assert to_any_value({"\udcff": 1})["kvlistValue"]["values"][0]["key"] == "\\udcff"


def test_an_empty_or_unknown_form_reads_as_none() -> None:
    assert from_any_value({}) is None
    assert from_any_value({"someLaterValue": 1}) is None


class Colour(Enum):
    RED = "red"


@dataclass
class Step:
    rate: float


@dataclass
class Plan:
    depth: int
    key: Annotated[str, Hidden]
    shy: str = field(repr=False)
    steps: list[Step] = field(default_factory=list)
    unset: int = field(init=False)


PLAN = {"depth": 3, "key": "<hidden>", "shy": "<hidden>", "steps": [{"rate": 0.5}]}


class Typed(pydantic.BaseModel):
    depth: int
    key: Annotated[str, Hidden]
    pin: pydantic.SecretStr


class Loose(pydantic.BaseModel, extra="allow"):
    depth: int


@attrs.define
class Attrs:
    depth: int
    shy: str = attrs.field(repr=False)


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


@dataclass
class Account:
    password: str


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("repr was asked for")

    __str__ = __repr__


SECRET = "hunter2-the-secret"
SHA = hashlib.sha256


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**63, str(2**63)),
        (0.5, 0.5),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ("text", "text"),
        ("\ud800", "\\ud800"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Word.YES, "yes"),
        (b"ab", {"$type": "bytes", "size": 2, "sha256": SHA(b"ab").hexdigest()}),
        (bytearray(b"ab"), {"$type": "bytes", "size": 2, "sha256": SHA(b"ab").hexdigest()}),
        (date(2024, 2, 29), "2024-02-29"),
        (time(1, 2), "01:02:00"),
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
        (timedelta(minutes=1), 60.0),
        (Path("/tmp/x"), "/tmp/x"),
        ([1, (2, [3])], [1, [2, [3]]]),
        ({"a": {1: None}}, {"a": {"1": None}}),
        (OrderedDict(a=1), {"a": 1}),
        (np.float64(0.5), 0.5),
        (np.array(4), 4),
        ({2, 1}, [1, 2]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (deque([1, "a"]), [1, "a"]),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 3), "1/3"),
        (UUID(int=3), "00000000-0000-0000-0000-000000000003"),
        (range(1, 9, 2), "range(1, 9, 2)"),
        (1 - 2j, "1-2j"),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05.000000000"),
        (np.datetime64("NaT"), "NaT"),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.timedelta64(3, "M"), "3 months"),
        (Plan(3, SECRET, SECRET, [Step(0.5)]), PLAN),
        (Step(0.5), {"rate": 0.5}),
        (Typed(depth=3, key=SECRET, pin=SECRET), {"depth": 3, "key": "<hidden>", "pin": "<hidden>"}),
        (Loose(depth=3, also=[1]), {"depth": 3, "also": [1]}),
        (Attrs(3, SECRET), {"depth": 3, "shy": "<hidden>"}),
        (Namespace(lr=0.5, api_key=SECRET), {"lr": 0.5, "api_key": "<hidden>"}),
        (SimpleNamespace(lr=0.5), {"lr": 0.5}),
        ({"k": pydantic.SecretStr(SECRET)}, {"k": "<hidden>"}),
        ({Colour.RED: Plan}, {"red": {"$type": "builtins.type"}}),
        (object(), {"$type": "builtins.object"}),
        (print, {"$type": "builtins.builtin_function_or_method"}),
    ],
    ids=lambda v: type(v).__name__,
)
def test_an_argument_is_described_by_the_table(value: object, described: object) -> None:
    found = describe(value)
    assert found == described
    assert type(found) is type(described)


def test_an_array_is_described_by_shape_type_and_content() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert describe(array) == {
        "$type": "numpy.ndarray",
        "shape": [2, 3],
        "dtype": "int32",
        "sha256": SHA(array.tobytes()).hexdigest(),
    }


def test_an_array_of_objects_has_no_hash_of_its_addresses() -> None:
    assert "sha256" not in describe(np.array([object(), object()]))


def test_text_at_the_limit_is_itself() -> None:
    assert describe("x" * 1024) == "x" * 1024


def test_longer_text_is_cut_and_named_by_its_hash() -> None:
    text = "é" * 1025
    assert describe(text) == {
        "$type": "str",
        "size": 1025,
        "sha256": SHA(text.encode()).hexdigest(),
        "start": "é" * 80,
    }


def test_a_long_list_says_how_many_more_there_are() -> None:
    assert describe(list(range(103))) == [*range(100), {"$more": 3}]


def test_a_long_mapping_says_how_many_more_there_are() -> None:
    described = describe({str(i): i for i in range(103)})
    assert described.pop("$more") == 3
    assert len(described) == 100


def test_what_is_nested_deeply_is_named_by_its_type() -> None:
    assert describe([[[[[[["deep"]]]]]]]) == [[[[[[{"$type": "builtins.list"}]]]]]]


def test_a_list_in_itself_is_described_to_an_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "builtins.list" in json.dumps(describe(loop))


@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: {"k": v}], ids=["bare", "list", "dict"]
)
@pytest.mark.parametrize(
    "make",
    [lambda: Account(SECRET), Loud, lambda: iter([SECRET]), lambda: ValueError(SECRET)],
    ids=["dataclass", "loud repr", "iterator", "exception"],
)
def test_an_unknown_type_never_tells_more_than_its_name(
    make: Callable[[], Any], wrap: Callable[[Any], Any]
) -> None:
    assert SECRET not in json.dumps(describe(wrap(make())))


class Unreadable:
    """What a broken or detached object does where it is looked at."""

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "broken"):
            raise RuntimeError(SECRET)
        return object.__getattribute__(self, name)


class BadShape(Unreadable):
    shape = (3,)
    dtype = "int8"


class BadMapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError(SECRET)


class BadKey:
    __hash__ = object.__hash__

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


class BadList(list[int]):
    def __iter__(self) -> Any:
        raise RuntimeError(SECRET)


class BadFloat(float):
    def __float__(self) -> float:
        raise RuntimeError(SECRET)


class Lazy:
    def __get__(self, row: object, kind: object = None) -> int:
        if row is None:
            return 0
        raise RuntimeError(SECRET)  # as a row that is bound to no session

    def __set__(self, row: object, value: object) -> None:
        pass


@dataclass
class Row:
    id: int
    posts: int = Lazy()  # type: ignore[assignment]


UNREADABLE = {
    "class": lambda: Unreadable("__class__"),
    "shape": lambda: BadShape("shape"),
    "dtype": lambda: BadShape("dtype"),
    "mapping": lambda: BadMapping(a=1),
    "key": lambda: {BadKey(): 1},
    "list": lambda: BadList([1]),
    "float": lambda: BadFloat(0.5),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_described_by_its_type_and_what_it_raised(name: str) -> None:
    value = UNREADABLE[name]()
    kind = type(value)

    assert describe({"x": value, "y": 1}) == {
        "x": {"$type": f"{kind.__module__}.{kind.__qualname__}", "raised": "RuntimeError"},
        "y": 1,
    }


def test_a_field_that_cannot_be_read_leaves_the_others_as_they_are() -> None:
    assert describe(Row(3)) == {"id": 3, "posts": {"$type": "unknown", "raised": "RuntimeError"}}


@given(ANYTHING)
def test_every_description_is_json(value: Any) -> None:
    described = describe(value)
    assert json.loads(json.dumps(described, allow_nan=False)) == described


@dataclass
class Service:
    depth: int
    key: str
    signing_key: str
    max_tokens: int


@pytest.mark.parametrize("kind", [Service, SimpleNamespace])
def test_fields_are_masked_by_the_names_that_name_a_secret_anywhere(kind: Any) -> None:
    service = kind(depth=3, key="runs/model.bin", signing_key=SECRET, max_tokens=512)

    told = {"depth": 3, "key": "runs/model.bin", "signing_key": "<hidden>", "max_tokens": 512}
    assert describe(service) == told
