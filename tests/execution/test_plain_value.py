"""Values that travel with reports are small, and of types that anybody can load."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from enum import IntEnum
from typing import Any

import numpy as np
import pytest

from vaportrail.execution.plain_value import PlainValue, pack_plain

Pair = namedtuple("Pair", "a b")


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, "text", b"bytes", [], [1, "two"], (None,), {"a": 1, 2: b"b"}, "x" * 4000]
)
def test_a_plain_value_is_as_good_as_new(value: Any) -> None:
    raw = pack_plain(value)
    assert raw is not None
    loaded = PlainValue(raw).load()
    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5000,
        b"x" * 5000,
        ["x" * 3000] * 2 + ["y" * 3000],
        1 << 50_000,
        list(range(65)),
        [[]],
        {"a": {}},
        {(1, 2): 3},
        Pair(1, 2),
        Colour.RED,
        OrderedDict(a=1),
        np.float64(1.0),
        np.zeros(1),
        object(),
        {1, 2},
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_other_value_travels_by_itself(value: Any) -> None:
    assert pack_plain(value) is None
