"""Facts that are trees come back from their attribute as they went in, or the attribute is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.errors import RecordError
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.json_attributes import JSON_ATTRIBUTES, decode_attribute, encode_attribute

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_every_fact_with_a_shape_is_known() -> None:
    assert {c.RUN_PARAMETERS, c.RUN_TAGS, c.RUN_ENVIRONMENT} <= JSON_ATTRIBUTES
    assert {c.TASK_ARGUMENTS, c.TASK_OPTIONS, c.TASK_EDGES} <= JSON_ATTRIBUTES


@given(st.dictionaries(st.text(), TREES))
def test_a_tree_comes_back_as_it_went_in(tree: dict[str, Any]) -> None:
    assert decode_attribute({"k": encode_attribute(tree)}, "k", dict) == tree


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "k is not there as JSON text: it is missing"),
        ({"k": 3}, "k is not there as JSON text: it is of type int"),
        ({"k": '{"a": [redacted:DB_PASSWORD]}'}, "k holds no JSON"),
        ({"k": ""}, "k holds no JSON"),
        ({"k": "[1]"}, "k is of type list, where a dict belongs"),
        ({"k": "[" * 100_000}, "k holds JSON that is too deep"),
    ],
)
def test_what_is_no_such_tree_names_the_attribute(named: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode_attribute(named, "k", dict)


@given(st.text() | TREES.map(json.dumps))
def test_any_text_is_a_tree_or_a_record_error(text: str) -> None:
    found = None
    with suppress(RecordError):
        found = decode_attribute({"k": text}, "k", list)
    assert found is None or found == json.loads(text)
