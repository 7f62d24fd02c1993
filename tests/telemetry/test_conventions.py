"""The table of attributes and events is whole: every name once, and none outside it."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from typing import get_args

import pytest

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.contract.outcome import TRAITS, Outcome
from vaportrail.telemetry import conventions
from vaportrail.telemetry.log_types import BY_EVENT
from vaportrail.telemetry.recorder import Role
from vaportrail.telemetry.stdlib_logging import severity

NAMES = {
    node.target.id: str(node.value.value)
    for node in ast.parse(inspect.getsource(conventions)).body
    if isinstance(node, ast.AnnAssign)
    and isinstance(node.target, ast.Name)
    and isinstance(node.value, ast.Constant)
}
EVENTS = {key: value for key, value in NAMES.items() if key.startswith("EVENT_")}
COUNTERS = {signal.counter for signal in SIGNALS}
ATTRIBUTES = {key: value for key, value in NAMES.items() if key not in EVENTS and key != "SCOPE"}
TYPE = re.compile(r"(string|int|bool|double|string\[\])( \(JSON\))?")


def test_these_tests_see_the_names() -> None:
    assert len(ATTRIBUTES) > 40
    assert len(EVENTS) > 10


def test_no_attribute_is_in_the_table_twice() -> None:
    count = Counter(attribute.name for attribute in conventions.ATTRIBUTES)
    assert [name for name, times in count.items() if times > 1] == []


def test_every_attribute_that_has_a_name_is_in_the_table() -> None:
    assert set(ATTRIBUTES.values()) | COUNTERS == {attribute.name for attribute in conventions.ATTRIBUTES}


def test_no_two_names_mean_the_same_attribute_or_event() -> None:
    assert len(set(NAMES.values())) == len(NAMES)


def test_every_event_that_has_a_name_is_in_the_table() -> None:
    assert set(EVENTS.values()) | set(BY_EVENT) == set(conventions.EVENTS)
    assert set(EVENTS.values()).isdisjoint(BY_EVENT)


@pytest.mark.parametrize("attribute", conventions.ATTRIBUTES, ids=lambda a: a.name)
def test_a_row_of_the_table_says_type_place_and_meaning(attribute: conventions.Attribute) -> None:
    assert TYPE.fullmatch(attribute.type)
    assert attribute.where
    assert attribute.meaning
    assert "|" not in "".join(attribute)


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_a_name_is_dotted_lower_case(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", name)


@pytest.mark.parametrize("name", sorted(conventions.EVENTS))
def test_an_event_has_our_own_prefix_and_a_meaning(name: str) -> None:
    assert name.startswith("vaportrail.")
    assert conventions.EVENTS[name]


def test_the_writers_role_is_told_for_every_role() -> None:
    meaning = next(a.meaning for a in conventions.ATTRIBUTES if a.name == conventions.WRITER_ROLE)
    assert all(f"`{role}`" in meaning for role in get_args(Role))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, (1, "TRACE")),
        (9, (1, "TRACE")),
        (10, (5, "DEBUG")),
        (19, (5, "DEBUG")),
        (20, (9, "INFO")),
        (30, (13, "WARN")),
        (40, (17, "ERROR")),
        (49, (17, "ERROR")),
        (50, (21, "FATAL")),
        (1000, (21, "FATAL")),
    ],
)
def test_a_level_of_logging_has_its_severity(level: int, expected: tuple[int, str]) -> None:
    assert severity(level) == expected


def test_every_outcome_has_its_traits() -> None:
    assert set(TRAITS) == set(Outcome)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_result_in_the_fields_words(outcome: Outcome) -> None:
    assert outcome.cicd_result in {"success", "failure", "error", "timeout", "cancellation", "skip"}


def test_only_success_is_success() -> None:
    assert (
        [o for o in Outcome if o.cicd_result == "success"]
        == [o for o in Outcome if o.ok]
        == [Outcome.SUCCEEDED]
    )
