"""Ids follow from who a thing is: the same everywhere, and never shared."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.telemetry.identity import (
    attempt_span_id,
    cell_span_id,
    run_span_id,
    task_span_id,
    trace_id,
)

UID = "3b1c9c2e-5f0f-4f55-9d3c-0a2f1f9e8d7c"
NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("make", "digits"),
    [
        (lambda: trace_id(UID), 32),
        (lambda: run_span_id(UID), 16),
        (lambda: task_span_id(UID, "a-1"), 16),
        (lambda: attempt_span_id(UID, "a-1", 1), 16),
        (lambda: cell_span_id("0" * 16, 0), 16),
    ],
    ids=["trace", "run", "task", "attempt", "cell"],
)
def test_an_id_is_hex_of_its_length_and_the_same_each_time(make: Callable[[], str], digits: int) -> None:
    assert re.fullmatch(rf"[0-9a-f]{{{digits}}}", make())
    assert make() == make()


def test_ids_are_the_same_in_every_version() -> None:
    assert trace_id("uid") == "db0f1d9816dba0f366f0ca13a11ddbe0"
    assert attempt_span_id("uid", "train-2", 3) == "eb98ceba001c928f"


@given(
    st.sets(st.tuples(NAMES, st.integers(1, 9), st.integers(1, 3)), min_size=2, max_size=20),
)
def test_different_attempts_have_different_ids(attempts: set[tuple[str, int, int]]) -> None:
    ids = {attempt_span_id(UID, *attempt) for attempt in attempts}
    assert len(ids) == len(attempts)


def test_different_things_of_the_same_name_have_different_ids() -> None:
    ids = [
        run_span_id(UID),
        trace_id(UID)[:16],
        task_span_id(UID, "a-1"),
        task_span_id(UID, "a-1", incarnation=2),
        task_span_id("other", "a-1"),
        attempt_span_id(UID, "a-1", 1),
        attempt_span_id(UID, "a-1", 2),
        attempt_span_id(UID, "a-11", 1),
        attempt_span_id(UID, "a-1", 11),
        cell_span_id(UID, 0),
        cell_span_id(UID, 1),
    ]
    assert len(set(ids)) == len(ids)
