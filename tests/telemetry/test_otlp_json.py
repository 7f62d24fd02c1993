"""What is put together as text is the JSON of the tree that it stands for."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.otlp_json import log_record, span_json
from vaportrail.telemetry.values import attributes, clean

TEXT = st.text(st.characters(exclude_categories=[]), max_size=80)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMED = st.dictionaries(TEXT, VALUES, max_size=6)


@given(NAMED)
def test_a_log_records_attributes_are_what_they_are_as_a_tree(values: dict[str, Any]) -> None:
    record = log_record(None, values, unix_nano=1, observed_unix_nano=1)

    assert record["attributes"] == [{**pair, "key": clean(pair["key"])} for pair in attributes(values)]


@given(NAMED, TEXT, st.none() | TEXT, st.booleans(), st.lists(st.just("a" * 16), max_size=2))
def test_a_span_is_what_it_is_as_a_tree(
    values: dict[str, Any], name: str, error: str | None, has_events: bool, links: list[str]
) -> None:
    events = [{"timeUnixNano": "2", "name": "exception", "attributes": attributes({"a": 1})}]
    text = span_json(
        name,
        values,
        trace_id="t" * 32,
        span_id="s" * 16,
        parent="p" * 16 if links else "",
        kind=1,
        start=1,
        end=2,
        error=error,
        events=events if has_events else (),
        links=links,
    )

    assert "\n" not in text
    assert text.encode(), "it can be UTF-8"
    assert json.loads(text) == {
        "traceId": "t" * 32,
        "spanId": "s" * 16,
        **({"parentSpanId": "p" * 16} if links else {}),
        "name": clean(name),
        "kind": 1,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "attributes": [{**pair, "key": clean(pair["key"])} for pair in attributes(values)],
        **({"events": events} if has_events else {}),
        **({"links": [{"traceId": "t" * 32, "spanId": link} for link in links]} if links else {}),
        "status": {"code": 1} if error is None else {"code": 2, "message": clean(error)},
    }
