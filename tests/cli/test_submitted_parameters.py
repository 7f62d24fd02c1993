"""What `-p` means to `submit`: what it means to `run`, but for texts that JSON takes for something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vaportrail.authoring.parameters import Parameters
from vaportrail.crd.documents import load_value
from vaportrail.errors import ParameterError, UsageError

if TYPE_CHECKING:
    from tests.conftest import Cli

PLAIN = st.text(max_size=8) | st.from_regex(r"[-+]?[0-9_:.]{1,6}(e[-+]?[0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("[1, a]", [1, "a"]),
        ("{x: 1.5}", {"x": 1.5}),
        ("[2026-11-23]", ["2026-11-23"]),
        ("[1e-3]", [0.001]),
        ("[1e-3, a]", [0.001, "a"]),
        ("[12:30, a]", ["12:30", "a"]),
        ('"1.10"', "1.10"),
        ("'true'", "true"),
    ],
)
def test_what_json_knows_and_what_is_marked_is_a_value(text: str, value: object) -> None:
    found = load_value(text)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        *("", "word", "# c", "abc # c", "key: v", "@x", "*x", "!x", "{", '"open', "2026-11-23", "12:30"),
        *("yes", "NO", "~", "010", "0x10", "1_000", ".5", "nan", "NaN", "Infinity", "1e999"),
        *(str(2**63), "9" * 5000),
    ],
)
def test_all_else_is_the_text_as_it_stands(text: str) -> None:
    found = load_value(text)

    assert (found, type(found)) == (text, str)


@pytest.mark.parametrize(
    ("parameters", "assignment", "message"),
    [
        ("[1]", "x=1", "spec.parameters: use a mapping of names to values"),
        ("{}", f"x={'[' * 1500}", "-p x: this is nested too deeply; use fewer levels"),
        ("{}", "x={a: 1, a: 2}", "-p x: line 1: the key 'a' stands twice in one mapping; leave one out"),
        ("{}", "x=[!!int abc]", "-p x: line 1: 'abc' is no int; leave !!int out"),
        (f"{{x: {'[' * 1500}}}", "y=1", "run.yaml: this is nested too deeply; use fewer levels"),
        ("{x: 1, x: 2}", "y=1", "run.yaml: line 1: the key 'x' stands twice in one mapping; leave one out"),
    ],
    ids=["a list", "deep", "twice", "no number", "a deep file", "twice in a file"],
)
def test_parameters_that_cannot_be_read_are_told_in_words(
    cli: Cli, tmp_path: Path, parameters: str, assignment: str, message: str
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"spec: {{parameters: {parameters}}}")

    done = cli("submit", file, "-p", assignment)

    assert done.code == 2
    assert message in done.err


def one(annotation: object) -> Callable[..., Any]:
    def fn(value: object) -> None: ...

    fn.__annotations__ = {"value": annotation}
    return fn


def taken(annotation: object, given: dict[str, Any]) -> tuple[Any, type] | None:
    """Return what a pipeline gets of a parameter, and its type; None where it is refused."""
    try:
        value = Parameters("p", one(annotation)).validate(given)["value"]
    except ParameterError:
        return None
    return value, type(value)


def submitted(text: str) -> dict[str, Any]:
    """Return what a runner reads of a text that was submitted; nothing where it is refused."""
    try:
        value = load_value(text)
    except UsageError:
        return {}
    found: dict[str, Any] = json.loads(json.dumps({"value": value}, allow_nan=False))
    return found


@pytest.mark.parametrize("annotation", [int, float, bool])
@given(text=PLAIN.filter(lambda text: "nan" not in text.lower()))  # which equals nothing
@example(text="010")
@example(text="1e-3")
@example(text="yes")
def test_what_an_annotation_makes_of_a_text_here_it_makes_of_it_in_the_cluster(
    annotation: type, text: str
) -> None:
    here = taken(annotation, {"value": text})

    assert here in (None, taken(annotation, submitted(text)))


@given(PLAIN)
@example("1.10")
@example("abc # c")
def test_a_text_is_the_same_in_the_cluster_as_on_a_laptop_or_refused(text: str) -> None:
    assume(not text.lstrip().startswith(("'", '"')))

    assert taken(str, submitted(text)) in ((text, str), None)
