"""One word for one thing: names that were given up stay so."""

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
INSTEAD = {
    "handover": "contract",
    "answer": "report, or termination message",
    "answers": "reports",
    "word": "report, text or message",
    "words": "texts or message",
    "stretch": "timeline entry, interval",
    "milestone": "timeline entry, moment, stage",
    "thing": "receipt entry, object",
    "unheard": "missing writers, watch lag",
    "heard": "from watch, reported",
    "told": "by what it says: names, lists, reports",
    "spoken": "self-reported",
    "unspoken": "from Ray's error",
    "silent": "node unreachable, or no progress",
    "barren": "no Ray pods",
    "strays": "late children",
    "leaks": "orphans",
    "collecting": "collector upkeep",
    "gather": "demultiplex",
    "gathered": "demultiplexer",
    "clearing": "cleanup",
    "narrator": "task recorder",
    "knowledge": "cache updates",
    "patience": "min age, renew deadline",
    "swept": "sweep result",
    "driver": "runner; only Ray's own is a driver",
}
"""Words of names, and what is said in their place."""


def names_of(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module's classes, functions and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield node.name
            yield from (
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            )
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words_of(name: str) -> set[str]:
    return {each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_name_is_made_of_a_word_that_was_given_up(path: Path) -> None:
    named = [path.stem, *names_of(ast.parse(path.read_text()))]
    found = {name: INSTEAD[word] for name in named for word in words_of(name) if word in INSTEAD}
    assert found == {}
