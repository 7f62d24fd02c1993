"""Task options: what is taken, and what is refused in words that say how to mend it."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.authoring.options import (
    Options,
    TaskOptions,
    parse_duration,
    parse_memory,
    resolve_options,
)
from vaportrail.errors import OptionError, UsageError

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1h 30m", 5400.0),
        ("1h30m", 5400.0),
        ("1 h", 3600.0),
        (3, 3.0),
        (0.5, 0.5),
    ],
    ids=str,
)
def test_a_duration_is_read_in_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "5", "5 parsecs", "1h30", "h", "-5s", "1,5s", "5S", None, True], ids=repr
)
def test_what_is_no_duration_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(OptionError, match=r"timeout=.* is not a duration.*\"90s\""):
        parse_duration(text, "timeout")


@pytest.mark.parametrize("text", ["0s", "0ms", 0, -1, -0.5], ids=repr)
def test_a_duration_is_more_than_zero(text: Any) -> None:
    with pytest.raises(OptionError, match=r"backoff=.* is not more than zero"):
        parse_duration(text, "backoff")


@given(st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h {minutes}m {seconds}s") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", 1),
        ("512", 512),
        (4096, 4096),
        ("1k", 1000),
        ("2M", 2_000_000),
        ("3G", 3_000_000_000),
        ("1T", 10**12),
        ("1Ki", 1024),
        ("1.5Mi", 1_572_864),
        ("2Gi", 2**31),
        ("2GiB", 2**31),
        ("2 Gi", 2**31),
        ("1Ti", 2**40),
        (" 5B ", 5),
    ],
    ids=repr,
)
def test_memory_is_read_in_bytes(text: str | int, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "much", "-1Gi", "0", "0Gi", "2gi", "2 GB or so", "1e9", None], ids=repr)
def test_what_is_no_amount_of_memory_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(OptionError, match=r"memory=.* is not an amount of memory.*\"2Gi\""):
        parse_memory(text)


GOOD: dict[str, tuple[Any, Any]] = {
    "name": ("train.v-2", "train.v-2"),
    "cpus": (2, 2.0),
    "gpus": (0.5, 0.5),
    "memory": ("1Gi", 2**30),
    "resources": ({"tpu": 1}, {"tpu": 1}),
    "timeout": ("2m", 120.0),
    "retries": (3, 3),
    "backoff": ("10ms", 0.01),
    "retry_on": ((OSError, KeyError), (OSError, KeyError)),
    "env": ({"A": "b"}, {"A": "b"}),
    "runtime_env": ({"pip": ["x"]}, {"pip": ["x"]}),
    "isolate": (True, True),
    "after": ([1, 2], (1, 2)),
    "allow_failure": (True, True),
}

BAD: list[tuple[str, Any, str]] = [
    ("name", "", "task name"),
    ("name", "two words", "letters, digits"),
    ("name", "../up", "letters, digits"),
    ("name", "x" * 101, "1 to 100"),
    ("name", 3, "task name"),
    ("cpus", -1, "at least 0"),
    ("cpus", "2", "a number"),
    ("cpus", True, "a number"),
    ("gpus", -0.5, "at least 0"),
    ("memory", "lots", "Ki, Mi, Gi"),
    ("resources", {"tpu": "one"}, "names to numbers"),
    ("resources", ["tpu"], "names to numbers"),
    ("timeout", "later", "ms, s, m, h or d"),
    ("timeout", 0, "more than zero"),
    ("retries", -1, "whole number"),
    ("retries", 1.5, "whole number"),
    ("retries", True, "whole number"),
    ("backoff", "x", "ms, s, m, h or d"),
    ("retry_on", "ConnectionError", "exception types"),
    ("retry_on", (OSError, int), "exception types"),
    ("retry_on", (OSError("an instance"),), "exception types"),
    ("env", {"A": 1}, "names to strings"),
    ("env", "A=1", "names to strings"),
    ("runtime_env", [], "names to values"),
    ("isolate", 1, "True or False"),
    ("after", "train-1", "list of what tasks returned"),
    ("after", 5, "list of what tasks returned"),
    ("allow_failure", "no", "True or False"),
]


def test_the_tables_of_these_tests_know_every_option() -> None:
    assert set(GOOD) == set(Options.__annotations__) == {key for key, _, _ in BAD}


def test_every_option_that_may_be_written_is_declared() -> None:
    assert {each.name for each in fields(TaskOptions)} == set(Options.__annotations__)


def test_the_reference_has_a_row_for_every_option() -> None:
    section = (
        (REPOSITORY / "docs" / "sdk.md").read_text().partition("| Option | Type |")[2].partition("\n\n")[0]
    )
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(Options.__annotations__)


def test_every_option_is_carried_out_on_a_real_ray() -> None:
    tree = ast.parse((REPOSITORY / "tests" / "pipelines" / "faults.py").read_text())
    used = {word.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords}
    assert set(Options.__annotations__) <= used


@pytest.mark.parametrize("key", GOOD)
def test_a_good_value_is_taken(key: str) -> None:
    given_value, expected = GOOD[key]
    resolved = resolve_options(TaskOptions(), {key: given_value}, "task 't'")
    assert getattr(resolved, key) == expected


@pytest.mark.parametrize(
    "env", [{"DB_PASSWORD": "hunter2hunter2", "PORT": 5432}, ["DB_PASSWORD=hunter2hunter2"]], ids=str
)
def test_a_refused_environment_is_not_quoted(env: Any) -> None:
    with pytest.raises(OptionError, match="env") as caught:
        resolve_options(TaskOptions(), {"env": env}, "task 't'")
    assert "hunter2" not in str(caught.value)
    assert "PORT" in str(caught.value) or isinstance(env, list)


@pytest.mark.parametrize(("key", "value", "fix"), BAD, ids=lambda v: repr(v)[:25])
def test_a_bad_value_is_refused_by_place_name_value_and_fix(key: str, value: Any, fix: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve_options(TaskOptions(), {key: value}, "task 't'")
    message = str(caught.value)
    # Among the values of a mapping there may be secrets.
    shown = key if key in ("env", "runtime_env", "resources") else f"{key}={value!r}"
    assert message.startswith(f"task 't': {shown}")
    assert fix in message


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("retrys", "retries"), ("time_out", "timeout"), ("cpu", "cpus"), ("allow_failures", "allow_failure")],
)
def test_a_misspelt_option_suggests_the_right_one(wrong: str, meant: str) -> None:
    with pytest.raises(OptionError, match=rf"unknown option '{wrong}'; did you mean '{meant}'\?"):
        resolve_options(TaskOptions(), {wrong: 1}, "task 't'")


def test_an_option_like_no_other_lists_all() -> None:
    with pytest.raises(OptionError) as caught:
        resolve_options(TaskOptions(), {"zzz": 1}, "task 't'")
    assert all(key in str(caught.value) for key in GOOD)


def test_an_option_error_is_a_usage_error() -> None:
    assert issubclass(OptionError, UsageError)


def test_options_that_are_not_given_stay_as_they_were() -> None:
    base = resolve_options(TaskOptions(), {"retries": 2, "timeout": "1s"}, "task 't'")
    again = resolve_options(base, {"timeout": "9s"}, "task 't'")
    assert (again.retries, again.timeout) == (2, 9.0)
    assert base.timeout == 1.0


def test_one_exception_type_may_stand_alone() -> None:
    assert resolve_options(TaskOptions(), {"retry_on": OSError}, "task").retry_on == (OSError,)


def test_a_mapping_that_changes_later_changes_no_option() -> None:
    env = {"A": "1"}
    options = resolve_options(TaskOptions(), {"env": env}, "task 't'")
    env["A"] = "2"
    assert options.env == {"A": "1"}


def test_plain_options_are_described_by_nothing() -> None:
    assert TaskOptions().describe() == {}


def test_environment_values_are_left_out_of_the_description() -> None:
    given_options = {"env": {"SECRET": "hunter2"}, "runtime_env": {"env_vars": {"B": "hunter2"}}}
    described = resolve_options(TaskOptions(), given_options, "task 't'").describe()
    assert described == {"env": ["SECRET"], "runtime_env": ["env_vars"]}


def test_options_are_described_in_plain_units() -> None:
    given_options = {"memory": "1Ki", "timeout": "1m", "retry_on": OSError, "resources": {"tpu": 2}}
    assert resolve_options(TaskOptions(), given_options, "task 't'").describe() == {
        "memory": 1024,
        "timeout": 60.0,
        "retry_on": ["builtins.OSError"],
        "resources": {"tpu": 2},
    }
