"""Whatever the API server says is read, but for what is nested too deeply."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail_operator.acting.decoding import TOO_DEEP, decode, decode_list

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
INDENTS = st.sampled_from([None, 0, 2])
DEPTHS = [10_001, 200_000]


def deep(levels: int, kind: str = "list") -> str:
    return "[" * levels + "]" * levels if kind == "list" else '{"a":' * levels + "1" + "}" * levels


@given(VALUES, INDENTS)
def test_json_is_read_as_it_is(value: Any, indent: int | None) -> None:
    assert decode(json.dumps(value, indent=indent)) == value


@given(st.lists(VALUES), st.dictionaries(st.text(), VALUES), INDENTS)
def test_a_list_is_read_item_by_item(items: list[Any], rest: dict[str, Any], indent: int | None) -> None:
    rest.pop("items", None)
    taken: list[Any] = []
    assert decode_list(json.dumps({**rest, "items": items}, indent=indent), taken.append) == rest
    assert taken == items
    taken.clear()
    assert decode_list(json.dumps({"items": items, **rest}, indent=indent), taken.append) == rest
    assert taken == items


@pytest.mark.parametrize("levels", DEPTHS)
@pytest.mark.parametrize("kind", ["list", "object"])
def test_what_is_too_deep_is_left_out_and_what_is_beside_it_is_read(levels: int, kind: str) -> None:
    spec = f'{{"before": 1, "parameters": {{"p": {deep(levels, kind)}}}, "after": "]}}\\"{{"}}'
    text = f'{{"metadata": {{"name": "it"}}, "spec": {spec}, "status": {{}}}}'
    found = decode(text)
    assert found["metadata"] == {"name": "it"}
    assert found["status"] == {}
    assert (found["spec"]["before"], found["spec"]["after"]) == (1, ']}"{')
    assert json.dumps(TOO_DEEP) in json.dumps(found["spec"]["parameters"])


@pytest.mark.parametrize("levels", DEPTHS)
def test_one_item_that_is_too_deep_takes_none_of_the_others_with_it(levels: int) -> None:
    items = f'[{{"a": 1}}, {deep(levels)}, {{"a": {deep(levels, "object")}}}, {{"a": 2}}]'
    taken: list[Any] = []
    rest = decode_list(f'{{"items": {items}, "metadata": {{"resourceVersion": "7"}}}}', taken.append)
    assert rest == {"metadata": {"resourceVersion": "7"}}
    assert (taken[0], taken[3]) == ({"a": 1}, {"a": 2})
    assert all(json.dumps(TOO_DEEP) in json.dumps(item) for item in taken[1:3])


@pytest.mark.parametrize(
    "text",
    ["", "{", "[", '{"a"}', '{"a": }', '{"items": [1 2]}', '{"items": [', '{"items": 1', "[] []", "nope"],
)
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)
    with pytest.raises(ValueError):
        decode_list(text, lambda item: None)
