"""The table of what can be logged is whole: every type has its method and its line in the reference."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import get_args

import pytest

from vaportrail.telemetry.log_types import FILE_TYPES, VALUE_TYPES, FileKind, FileType, ValueKind, ValueType
from vaportrail.telemetry.logger import Log

REPOSITORY = Path(__file__).parents[2]
TYPES: dict[str, ValueType | FileType] = {each.kind: each for each in (*VALUE_TYPES, *FILE_TYPES)}
BY_METHOD = {each.method: each for each in TYPES.values() if each.method}
OF_SEVERAL = {"params": "param", "metrics": "metric"}
"""Methods that record several of a type at once, by its own."""
OTHER_LINES = {"task", "attempt", "artifact", "section", "file", "damaged"}
PRIVATE = {"_value": ValueType, "_file": FileType, "_text": FileType}
"""What records a value or a file within `Log`, by its kind."""


def methods() -> set[str]:
    return {name for name in vars(Log) if not name.startswith("_")}


def kinds_recorded_by(method: str) -> set[tuple[str, type]]:
    """Return as what a method of `Log` records."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(Log, method))))
    return {
        (str(node.args[0].value), PRIVATE[node.func.attr])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in PRIVATE
        and isinstance(node.args[0], ast.Constant)
    }


def test_no_two_types_are_called_alike() -> None:
    assert len(TYPES) == len(VALUE_TYPES) + len(FILE_TYPES)
    assert len({each.many for each in VALUE_TYPES}) == len(VALUE_TYPES)
    assert not {each.kind for each in VALUE_TYPES} & OTHER_LINES
    assert all(re.fullmatch("[a-z]+", kind) for kind in TYPES)


def test_every_type_has_its_row_and_its_name() -> None:
    assert {each.kind for each in VALUE_TYPES} == set(get_args(ValueKind))
    assert {each.kind for each in FILE_TYPES} == set(get_args(FileKind))


def test_every_type_has_its_method_and_every_method_its_type() -> None:
    assert methods() == set(BY_METHOD) | set(OF_SEVERAL)
    assert set(OF_SEVERAL.values()) <= set(BY_METHOD)


@pytest.mark.parametrize("method", BY_METHOD)
def test_a_method_records_what_it_is_called_after(method: str) -> None:
    assert kinds_recorded_by(method) == {(BY_METHOD[method].kind, type(BY_METHOD[method]))}


def test_the_reference_has_a_line_for_every_method() -> None:
    section = (REPOSITORY / "docs" / "sdk.md").read_text().partition("| Call | Records |")[2]
    calls = " ".join(line.split("|")[1] for line in section.partition("\n\n")[0].splitlines()[2:])

    assert set(re.findall(r"`log\.(\w+)\(", calls)) == methods()


@pytest.mark.parametrize("each", FILE_TYPES, ids=lambda each: each.kind)
def test_an_ending_is_one(each: FileType) -> None:
    assert all(re.fullmatch(r"\.[a-z0-9]+", ending) for ending in each.endings.values())
    assert all(re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", media_type) for media_type in each.endings)
