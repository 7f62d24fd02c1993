"""The program that changes the planner: each change is one that can be told, and is of one place."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

mutants: Any = importlib.import_module("mutants")

TEXT = """
def f(a, b):
    if a < b and not a:
        return a + 1
    yield b
    return True if a in b else False
"""
WORDS = [
    "And is Or",
    "part 1 of And is left out",
    "part 2 of And is left out",
    "Lt is LtE",
    "not is left out",
    "Add is Sub",
    "1 is 2",
    "a result is None",
    "nothing is yielded",
    "the sides of a condition are exchanged",
    "In is NotIn",
    "True is False",
    "False is True",
]


@pytest.mark.parametrize("what", WORDS)
def test_each_kind_of_change_is_made(what: str) -> None:
    assert what in [mutant.what for mutant in mutants.mutants_of(Path("it.py"), TEXT)]


def test_each_mutant_is_another_module_that_parses() -> None:
    made = [mutants.mutated(mutant, TEXT) for mutant in mutants.mutants_of(Path("it.py"), TEXT)]
    plain = ast.unparse(ast.parse(TEXT))
    assert all(ast.parse(text) for text in made)
    assert plain not in made
    assert len(set(made)) == len(made)


def test_the_whole_planner_can_be_changed() -> None:
    path = mutants.SOURCE / "planning" / "ends.py"
    assert len(list(mutants.mutants_of(Path("planning/ends.py"), path.read_text()))) > 50
