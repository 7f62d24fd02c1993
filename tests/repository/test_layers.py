"""Which room may import which, and which third party is known to which: the layout as a table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = {
    "vaportrail": REPOSITORY / "runner" / "src" / "vaportrail",
    "vaportrail_operator": REPOSITORY / "operator" / "src" / "vaportrail_operator",
}
LAYERS = {
    "vaportrail": (
        ("contract", "dataclass_marks", "version"),
        ("errors",),
        ("scheduling",),
        ("crd",),
        ("storage",),
        ("telemetry",),
        ("record",),
        ("record.seal",),
        ("record.reading",),
        ("authoring", "shipper"),
        ("execution",),
        ("notebooks", "export"),
        ("cluster", "submit"),
        ("cli",),
    ),
    "vaportrail_operator": (
        ("version",),
        ("planning",),
        ("api", "observation"),
        ("acting",),
        ("runtime",),
        ("main",),
        ("__main__",),
    ),
}
"""From the bottom to the top: what a room imports lies strictly below it, however late it is imported."""
FACADE = {"vaportrail": {"__init__", "api"}, "vaportrail_operator": {"__init__"}}
"""What a package offers as a whole; loads what it needs of it as it is asked for."""
UNTOLD = {"dataclass_marks", "version", "main", "__main__"}
"""Modules of their own that need no line in the layout."""
ONLY_IN = {
    "kopf": {"vaportrail_operator.runtime"},
    "kubernetes": {"vaportrail.submit", "vaportrail_operator.acting", "vaportrail_operator.main"},
    "obstore": {"vaportrail.storage"},
    "tzdata": {"vaportrail.scheduling"},
    "ray": {"vaportrail.execution", "vaportrail.cluster"},
    "nbclient": {"vaportrail.notebooks"},
    "nbconvert": {"vaportrail.notebooks"},
    "dulwich": {"vaportrail.cluster"},
    "rich": {"vaportrail.cli"},
    "click": {"vaportrail.cli"},
}


@cache
def modules(package: str) -> dict[str, Path]:
    """Return a package's modules by their dotted names."""
    root = PACKAGES[package]
    named = {}
    for path in sorted(root.rglob("*.py")):
        parts = (package, *path.relative_to(root).with_suffix("").parts)
        named[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)] = path
    return named


@cache
def imports(path: Path, *, for_types: bool) -> list[tuple[str, ...]]:
    """Return the names that a module imports, each as the module it may be and the one it may be of."""

    def walk(node: ast.AST) -> Iterator[tuple[str, ...]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports hide what is imported"
                for alias in child.names:
                    yield f"{child.module}.{alias.name}", str(child.module)
            elif isinstance(child, ast.Import):
                for alias in child.names:
                    yield (alias.name,)
            typing_only = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            if for_types or not typing_only:
                yield from walk(child)

    return list(walk(ast.parse(path.read_text())))


def room_of(module: str, package: str) -> str:
    """Return the room that a module lies in, the innermost that is in the table."""
    inner = module.removeprefix(f"{package}.").split(".")
    two = ".".join(inner[:2])
    return two if two in {room for layer in LAYERS[package] for room in layer} else inner[0]


def edges(package: str, *, for_types: bool) -> set[tuple[str, str]]:
    """Return which module of a package imports which."""
    there = modules(package)
    found = set()
    for name, path in there.items():
        for candidates in imports(path, for_types=for_types):
            target = next((each for each in candidates if each in there), None)
            if target and target != name:
                found.add((name, target))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_has_its_layer(package: str) -> None:
    rooms = {room_of(name, package) for name in modules(package)} - FACADE[package]
    assert rooms == {room for layer in LAYERS[package] for room in layer}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_room_imports_lies_below_it(package: str) -> None:
    level = {room: number for number, layer in enumerate(LAYERS[package]) for room in layer}
    wrong = [
        (importer, imported)
        for importer, imported in edges(package, for_types=True)
        for ours, theirs in [(room_of(importer, package), room_of(imported, package))]
        if ours != theirs and not {ours, theirs} & FACADE[package] and level[theirs] >= level[ours]
    ]
    assert wrong == []


def test_the_operator_imports_only_what_the_runner_offers_below_its_execution() -> None:
    offered = {"contract", "scheduling", "crd", "storage", "telemetry", "record", "errors", "version"}
    used = {
        room_of(candidates[-1], "vaportrail")
        for path in modules("vaportrail_operator").values()
        for candidates in imports(path, for_types=True)
        if candidates[-1].startswith("vaportrail.")
    }
    assert used <= offered


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    ahead: dict[str, set[str]] = {name: set() for name in modules(package)}
    for importer, imported in edges(package, for_types=False):
        if importer.removeprefix(f"{package}.") not in FACADE[package]:
            ahead[importer].add(imported)
    while free := [name for name, needs in ahead.items() if not needs]:
        for name in free:
            del ahead[name]
        for needs in ahead.values():
            needs.difference_update(free)
    left = {name: needs & set(ahead) for name, needs in ahead.items()}
    assert {name: needs for name, needs in left.items() if needs & set(left)} == {}


@pytest.mark.parametrize("third_party", ONLY_IN)
def test_a_third_party_is_known_to_the_rooms_that_exist_for_it(third_party: str) -> None:
    users = {
        f"{package}.{room_of(name, package)}"
        for package in PACKAGES
        for name, path in modules(package).items()
        for candidates in imports(path, for_types=False)
        if candidates[-1].split(".")[0] == third_party
    }
    assert users <= ONLY_IN[third_party]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_of_a_package_have_one_name(package: str) -> None:
    names = [path.stem for path in modules(package).values() if not path.stem.startswith("__")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_contributing_tells_every_room_in_the_order_of_the_layers(package: str) -> None:
    layout = (
        (REPOSITORY / "CONTRIBUTING.md").read_text().partition(f"src/{package}/\n")[2].partition("\n├──")[0]
    )
    tree = layout.partition("\n\n")[0].partition("\noperator/ ")[0]
    named = [room.removesuffix("/").removesuffix(".py") for room in re.findall(r"─ (\S+)", tree)]
    level = {room: number for number, layer in enumerate(LAYERS[package]) for room in layer}
    at = {named.index(name): room for room in level if (name := room.rpartition(".")[2]) in named}
    assert set(level) - set(at.values()) <= UNTOLD
    levels = [level[at[place]] for place in sorted(at)]
    assert levels == sorted(levels)
