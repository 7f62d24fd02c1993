"""A task's label: its call with the arguments that tell it from its siblings, in a few words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.record.label import call_label, id_label


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        ({"n": 600, "split": {"$task": "split-1"}}, "f(n=600)"),
        ({"n": 3, "who": "ada", "yes": True, "nothing": None}, "f(n=3, who=ada, yes=True)"),
        ({"text": "x" * 41, "model": {"$type": "np.ndarray", "shape": [2]}}, "f()"),
        ({"grid": {"max_depth": 2}}, "f(grid={max_depth=2})"),
        ({"grid": {"max_depth": 2, "rate": 0.1, "why": None}}, "f(grid={max_depth=2, rate=0.1, why=None})"),
        ({"sizes": [600, 800]}, "f(sizes=[600, 800])"),
        ({"grid": {"sizes": [1, 2], "net": {"deep": True}}}, "f(grid={sizes=[1, 2], net={deep=True}})"),
        ({"grid": {}, "sizes": []}, "f(grid={}, sizes=[])"),
        ({"models": [{"$task": "train-1"}, {"$task": "train-2"}]}, "f()"),
        ({"args": ["the squares are", {"$task": "square-1"}]}, "f(args=[the squares are, …])"),
        ({"sizes": [*range(100), {"$more": 5}]}, "f(sizes=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …])"),
        ({"grid": {"a": 1, "$more": 5}}, "f(grid={a=1, …})"),
        ({"grid": {"long": "x" * 41, "a": 1}}, "f(grid={a=1, …})"),
        ({"grid": {"x" * 60: 1}}, "f()"),
    ],
)  # fmt: skip
def test_a_label_has_the_plain_arguments_and_the_beginning_of_small_containers(
    arguments: dict[str, Any], label: str
) -> None:
    assert call_label("f", arguments) == label


def test_the_label_of_an_id_tells_calls_without_plain_arguments_apart() -> None:
    assert id_label("train-2", {"n": 3}) == "train-2 (n=3)"
    assert id_label("train-2", {}) == "train-2"


DESCRIBED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=60), inner, max_size=30),
    max_leaves=60,
)


@given(value=DESCRIBED)
def test_no_argument_takes_more_than_its_room(value: Any) -> None:
    shown = call_label("f", {"x": value}).removeprefix("f(").removesuffix(")")

    assert len(shown) <= len("x=") + 44 or isinstance(value, int)


def test_a_label_of_deep_and_wide_arguments_costs_little() -> None:
    value: Any = 1
    for _ in range(6):
        value = [value] * 100
    began = time.process_time()
    call_label("f", {"x": value})

    assert time.process_time() - began < 0.5
