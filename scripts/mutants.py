"""Change the planner in one place at a time, and see whether its tests find it: `make mutants`.

    python scripts/mutants.py [--seed N] [--count 100] [--under planning] [--tests tests/planning ...]

A mutant is a copy of the operator in which one comparison, operator, number, condition or result of the
chosen folder is another. It is killed where a test fails, or does not end in time. Which are made follows
from the seed, which is printed; those that survive are printed with their place. Fails under 85 %.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "operator" / "src" / "vaportrail_operator"
_TESTS = ("tests/planning", "tests/observation", "tests/runtime/test_joined_lives.py")
_SECONDS = 900
_AT_LEAST = 85.0

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one module.

    Attributes:
        path: of the module, below the operator's package.
        line: where.
        what: in words.
        place: the number of what is changed, in the module's tree.
        choice: the number of the change.
    """

    path: Path
    line: int
    what: str
    place: int
    choice: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def mutants_of(path: Path, text: str) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    for place, node in enumerate(_places(ast.parse(text))):
        for choice, (what, _) in enumerate(_changes(node)):
            yield Mutant(path, getattr(node, "lineno", 0), what, place, choice)


def _places(tree: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if next(_changes(node), None)]


def mutated(mutant: Mutant, text: str) -> str:
    """Return the text of a module with a mutant in it."""
    tree = ast.parse(text)
    target = _places(tree)[mutant.place]
    _, changed = list(_changes(target))[mutant.choice]
    return ast.unparse(ast.fix_missing_locations(_Put(target, changed).visit(tree)))


class _Put(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.AST) -> None:
        self._target, self._changed = target, changed

    def visit(self, node: ast.AST) -> ast.AST:
        return self._changed if node is self._target else self.generic_visit(node)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what a node may be changed into, and in words how."""
    changed = copy.copy(node)
    if isinstance(node, ast.Compare) and isinstance(changed, ast.Compare) and len(node.ops) == 1:
        other = _COMPARISONS[type(node.ops[0])]()
        changed.ops = [other]
        yield f"{type(node.ops[0]).__name__} is {type(other).__name__}", changed
    elif isinstance(node, ast.BoolOp) and isinstance(changed, ast.BoolOp):
        changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{type(node.op).__name__} is {type(changed.op).__name__}", changed
        for number, _ in enumerate(node.values):
            rest = [each for place, each in enumerate(node.values) if place != number]
            left = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            yield f"part {number + 1} of {type(node.op).__name__} is left out", left
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not is left out", node.operand
    elif isinstance(node, ast.BinOp) and isinstance(changed, ast.BinOp) and type(node.op) in _OPERATORS:
        changed.op = _OPERATORS[type(node.op)]()
        yield f"{type(node.op).__name__} is {type(changed.op).__name__}", changed
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} is {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield f"{node.value} is {node.value + 1}", ast.Constant(node.value + 1)
    elif isinstance(node, ast.IfExp) and isinstance(changed, ast.IfExp):
        changed.body, changed.orelse = node.orelse, node.body
        yield "the sides of a condition are exchanged", changed
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "a result is None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom):
        yield "nothing is yielded", ast.Expr(ast.YieldFrom(ast.Tuple([], ast.Load())))


def is_killed(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Return whether a test finds a mutant."""
    with tempfile.TemporaryDirectory(prefix="vtmut-") as folder:
        package = Path(folder, SOURCE.name)
        shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        module = package / mutant.path
        module.write_text(mutated(mutant, module.read_text()))
        words = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *words],
                cwd=REPOSITORY,
                env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def main(words: Sequence[str] | None = None) -> int:
    """Make mutants, run the tests on each, and return the exit status."""
    parser = argparse.ArgumentParser(description="Change the planner and see whether its tests find it.")
    add = parser.add_argument
    add("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="which are made")
    add("--count", type=int, default=100, help="how many")
    add("--under", default="planning", help="the folder of the operator that is changed")
    add("--tests", nargs="+", default=_TESTS, help="what is run on each")
    asked = parser.parse_args(words)
    print(f"seed {asked.seed}", flush=True)
    every = [
        mutant
        for path in sorted((SOURCE / asked.under).rglob("*.py"))
        for mutant in mutants_of(path.relative_to(SOURCE), path.read_text())
    ]
    chosen = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    killed = 0
    for number, mutant in enumerate(chosen, 1):
        found = is_killed(mutant, asked.tests)
        killed += found
        if not found:
            print(f"survived: {mutant}", flush=True)
        if number % 10 == 0:
            print(f"{killed} of {number} are killed", flush=True)
    share = 100 * killed / max(1, len(chosen))
    print(f"mutants_killed {share:.1f} % of {len(chosen)} of {len(every)}")
    return 0 if share >= _AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
