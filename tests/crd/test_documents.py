"""A file of YAML or JSON means here what it means to kubectl, and what is wrong with it is said in words."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaportrail.crd.documents import load_documents, load_value
from vaportrail.errors import UsageError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

# As `kubectl label --local --filename FILE --output json` prints it.
KUBECTL: dict[str, Any] = {
    "1e-3": 0.001,
    "1e3": 1000,
    "1.": 1,
    ".5e1": 5,
    "1_000": 1000,
    "12_3.5": 123.5,
    "010": 8,
    "08": 8,
    "0o17": 15,
    "0O17": 15,
    "0x1F": 31,
    "-0b11": -3,
    "+1": 1,
    "-0": 0,
    "9223372036854775807": 2**63 - 1,
    "yes": True,
    "y": True,
    "N": False,
    "TRUE": True,
    "~": None,
    "": None,
    "12:30": "12:30",
    "2026-11-23": "2026-11-23",
    "1e999": "1e999",
    "0b2": "0b2",
    "5e": "5e",
    "._5": "._5",
    "tRUE": "tRUE",
    "nULL": "nULL",
    "+": "+",
    "=": "=",
    "<<": "<<",
    "word": "word",
    "!!float 1": 1,
    "!!str 1": "1",
    "'1'": "1",
    '"yes"': "yes",
}


@pytest.mark.parametrize(("text", "value"), KUBECTL.items(), ids=KUBECTL)
def test_a_plain_text_is_to_us_what_it_is_to_kubectl(text: str, value: Any) -> None:
    [found] = load_documents(f"x: {text}\n")

    assert found == {"x": value}
    assert isinstance(found["x"], bool | str) == isinstance(value, bool | str)


@given(json_values)
@example({"lr": 1e-05, "name": "😀"})
@example([2**64, 1e300])
def test_what_json_writes_is_read_as_it_was(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert load_documents(text) == ([] if value is None else [value])


def test_json_within_yaml_is_read_as_it_was() -> None:
    assert load_documents('x: {"lr": 1e-05, "name": "\\ud83d\\ude00"}') == [
        {"x": {"lr": 1e-05, "name": "😀"}}
    ]


def test_numbers_and_truths_are_keys_as_they_are_written() -> None:
    assert load_documents("{1: a, 1.5: b, true: c, -3: d}") == [
        {"1": "a", "1.5": "b", "true": "c", "-3": "d"}
    ]


def test_what_a_mapping_says_itself_wins_over_what_is_merged_into_it() -> None:
    assert load_documents("a: &b {x: 1, z: 3}\nc: {<<: *b, x: 2}")[0]["c"] == {"x": 2, "z": 3}


DEEP = "[" * 1500
TENFOLD = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 10)}]}}\n" for n in range(9)
)
LONG = f"a0: &a0 {'x' * 20_000}\n" + "\n".join(TENFOLD.splitlines()[1:])
SPLIT = "\n---\n".join(["\n".join(TENFOLD.splitlines()[:6])] * 100)
CIRCULAR = "\n".join(TENFOLD.splitlines()[:7]) + "\nx: &x {s: *x, " + ", ".join(["<<: {k: *a6}"] * 60) + "}\n"
WRONG = {
    "a: 1\nb: 2\na: 3\n": "line 3: the key 'a' stands twice in one mapping; leave one out",
    '{"a": 1, "a": 2}': "the key 'a' stands twice in one mapping; leave one out",
    "1: a\n'1': b\n": "line 2: the key '1' stands twice in one mapping; leave one out",
    "y: 1": "line 1: 'y' is no text as a key: YAML 1.1 reads it as true; put it in quotes",
    "010: 1": "line 1: '010' is no text as a key: YAML 1.1 reads it as 8; put it in quotes",
    "[a]: 1": "line 1: a list or a mapping is no text as a key; put it in quotes",
    "x: !!int abc": "line 1: 'abc' is no int; leave !!int out",
    "x: !!timestamp abc": "this is neither YAML nor JSON: could not determine a constructor for the tag",
    DEEP: "this is nested too deeply; use fewer levels",
    f"x: {DEEP}": "this is nested too deeply; use fewer levels",
    'x: "\\ud83d"': "'\\ud83d' is half of a character; write the whole one",
    '{"x": "\\ud83d"}': "'\\ud83d' is half of a character; write the whole one",
    TENFOLD: "line 8: with its aliases (*) written out this is longer than 20,000,000 characters; write out",
    MERGED: "line 8: with its aliases (*) written out this is longer than 20,000,000 characters; write out",
    LONG: "line 4: with its aliases (*) written out this is longer than 20,000,000 characters; write out",
    SPLIT: "line 400: with its aliases (*) written out this is longer than 20,000,000 characters; write out",
    CIRCULAR: "line 8: with its aliases (*) written out this is longer than 20,000,000 characters; write out",
    "x: &a [*a]": "this holds itself, by an anchor (&); write out what it holds",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=lambda text: text[:20])
def test_what_is_wrong_with_a_document_is_said_in_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        load_documents(text)

    assert str(error.value).startswith(message)


@given(st.text() | st.text("[]{}:,-!&*'\"\\ud8ytn0123456789.e\n #?|>%@", max_size=12))
@example("9" * 5000)
@example("x: " + "9" * 5000)
@example("x: !!float " + "9" * 5000)
@example("!!map a")
@example("!!seq {}")
def test_whatever_the_text_nothing_but_words_is_raised(text: str) -> None:
    for load in (load_documents, load_value):
        with contextlib.suppress(UsageError):
            load(text)
