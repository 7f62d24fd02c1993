"""A text that is filled in is the one that would have been put together with the same values."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.json_template import Holes, JsonTemplate
from vaportrail.telemetry.otlp_json import log_json, quoted, span_json

TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)
NUMBER = st.integers(-(2**63), 2**63 - 1)


@given(TEXT, TEXT, TEXT, NUMBER)
def test_a_log_record_and_a_span_are_what_they_are_in_one_go(
    known: str, name: str, text: str, number: int
) -> None:
    def record(text: str, number: int) -> str:
        values = {"a": known, known: text, "n": number}
        return log_json(known, values, unix_nano=number, observed_unix_nano=number, span_id="s" * 16)

    def span(text: str, number: int) -> str:
        ids: dict[str, Any] = {"trace_id": "t" * 32, "span_id": "s" * 16, "parent": "p" * 16}
        return span_json(name, {known: text, "n": number}, **ids, kind=1, start=number, end=number)

    for make in (record, span):
        template = JsonTemplate(lambda holes, make=make: make(holes.text("t"), holes.number("n")), quoted)
        expected = make(text or "empty", number)
        assert json.loads(template.fill(t=text or "empty", n=number)) == json.loads(expected)


@given(TEXT, NUMBER)
def test_other_json_is_filled_in_as_well(text: str, number: int) -> None:
    def make(holes: Holes) -> str:
        return json.dumps({"%s": "100 %", "text": holes.text("text"), "number": holes.number("number")})

    filled = JsonTemplate(make, json.dumps).fill(text=text, number=number)

    assert json.loads(filled) == {"%s": "100 %", "text": text, "number": number}
