"""Docstrings name what is there: each argument and attribute that one describes exists under that name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = sorted(
    path
    for package in ("runner/src/vaportrail", "operator/src/vaportrail_operator")
    for path in (REPOSITORY / package).rglob("*.py")
)
Described = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def described_in(text: str) -> set[str]:
    """Return the names that the sections `Args` and `Attributes` of a docstring describe."""
    found: set[str] = set()
    for section in re.findall(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)+)", text, re.MULTILINE):
        found |= set(re.findall(r"^    \*{0,2}(\w+):", section, re.MULTILINE))
    return found


def names_of(node: Described) -> set[str]:
    """Return the parameters of a function; of a class also its fields and those of its `__init__`."""
    if isinstance(node, ast.ClassDef):
        names = {
            target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign | ast.Assign)
            for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
            if isinstance(target, ast.Name)
        }
        for each in node.body:
            if isinstance(each, ast.FunctionDef):
                names.add(each.name)
                names |= names_of(each) if each.name == "__init__" else set()
        return names | {
            each.attr
            for each in ast.walk(node)
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        }
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return {each.arg for each in every if each is not None}


def nodes(tree: ast.Module) -> Iterator[Described]:
    for node in ast.walk(tree):
        if isinstance(node, Described):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_docstring_describes_no_argument_that_is_not_there(path: Path) -> None:
    stale = {
        f"{node.name}: {name}"
        for node in nodes(ast.parse(path.read_text()))
        for name in described_in(ast.get_docstring(node) or "") - names_of(node)
    }
    assert stale == set()
