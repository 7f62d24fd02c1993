"""Rules of the whole repository that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import vaportrail

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "runner" / "src" / "vaportrail"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    ("contract", "dataclass_marks", "errors", "version"),
    ("handover", "resources"),
    ("storage",),
    ("telemetry",),
    ("authoring",),
    ("record",),
    ("execution",),
    ("export",),
    ("cluster",),
    ("cli",),
)
"""From the bottom to the top: what is imported as a module is loaded lies strictly below."""
LATE = {
    # What makes a run, or reads one, is loaded when it is asked for.
    ("authoring", "execution"),
    ("authoring", "record"),
    # Only for annotations.
    ("errors", "contract"),
}
"""Imports against that order: only inside a function or for the type checker."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FACADE = {"__init__", "api"}


def unit_of(path: Path) -> str:
    """Return the package, or the module at the top, that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield what a module imports of the package, and whether that happens as it is loaded."""

    def walk(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            names: list[str] = []
            if isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports hide what is imported"
                names = [f"{child.module}.{alias.name}" for alias in child.names]
            elif isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "vaportrail" and len(parts) > 1:
                    yield parts[1], at_once
            for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or for_types
            yield from walk(child, at_once and not inside)

    return walk(tree, True)


def edges(*, at_once: bool) -> dict[tuple[str, str], list[str]]:
    """Return which unit imports which, with the files that do so."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in MODULES:
        if unit_of(path) in FACADE:
            continue
        for name, loads in imported(ast.parse(path.read_text())):
            if name != unit_of(path) and loads is at_once:
                found[unit_of(path), name].append(str(path.relative_to(PACKAGE)))
    return dict(found)


def test_every_package_has_its_layer() -> None:
    assert {unit_of(path) for path in MODULES} - FACADE == set(LEVEL)


def test_what_is_loaded_at_once_lies_strictly_below() -> None:
    wrong = {pair: files for pair, files in edges(at_once=True).items() if LEVEL[pair[1]] >= LEVEL[pair[0]]}
    assert wrong == {}


def test_what_is_imported_late_lies_below_or_is_a_known_exception() -> None:
    found = edges(at_once=False)
    wrong = {pair: files for pair, files in found.items() if LEVEL[pair[1]] >= LEVEL[pair[0]]}
    assert set(wrong) == LATE, wrong


def test_nothing_imports_the_command_line() -> None:
    importers = [pair for at_once in (True, False) for pair in edges(at_once=at_once) if pair[1] == "cli"]
    assert importers == []


@pytest.mark.parametrize("module", ["contract", "version"])
def test_what_everybody_starts_with_imports_nothing_of_ours(module: str) -> None:
    assert list(imported(ast.parse((PACKAGE / f"{module}.py").read_text()))) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("folder", ["operator", "tests/operator"])
def test_no_folder_shadows_the_standard_librarys_operator_as_a_package(folder: str) -> None:
    assert not (REPOSITORY / folder / "__init__.py").exists()


def test_no_folder_of_tests_is_a_package() -> None:
    assert list((REPOSITORY / "tests").rglob("__init__.py")) == []


def test_every_file_of_tests_has_a_name_of_its_own() -> None:
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


LOCKS = sorted(REPOSITORY.glob("requirements*.txt"))


def test_there_are_lock_files() -> None:
    assert len(LOCKS) >= 2


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_holds_no_address_of_a_registry(path: Path) -> None:
    wrong = [line for line in path.read_text().splitlines() if "://" in line or "index-url" in line]
    assert wrong == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_its_version_and_hashes(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


# What `import vaportrail` costs and gives.

HEAVY = (
    "ray",
    "pydantic",
    "obstore",
    "yaml",
    "rich",
    "click",
    "numpy",
    "nbclient",
    "jupytext",
    "cloudpickle",
)


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import vaportrail") & set(HEAVY) == set()


def test_the_contract_needs_nothing_but_the_standard_library() -> None:
    ours = {
        name
        for name in loaded_by("import vaportrail.contract as c")
        if name.startswith("vaportrail.contract")
    }
    assert ours == {"vaportrail.contract"}
    tree = ast.parse((PACKAGE / "contract.py").read_text())
    roots = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert roots <= sys.stdlib_module_names


def test_a_record_is_read_without_ray() -> None:
    assert "ray" not in loaded_by(
        "import vaportrail.record.read, vaportrail.record.seal, vaportrail.cli.main"
    )


def test_help_loads_no_command() -> None:
    commands = {name for name in loaded_by("import vaportrail.cli.main") if name.endswith("_command")}
    assert commands == set()


def test_the_public_names_are_those_that_are_seen() -> None:
    submodules = {path.stem for path in PACKAGE.iterdir()}
    seen = {name for name in vars(vaportrail) if not name.startswith("_")} - submodules
    types_of_records = set(vaportrail._OF_RECORDS)  # once they were asked for
    assert set(vaportrail.__all__) - {"__version__"} | {"open"} == seen - types_of_records


def test_public_names_are_told_once_and_are_there() -> None:
    assert len(set(vaportrail.__all__)) == len(vaportrail.__all__)
    assert all(hasattr(vaportrail, name) for name in vaportrail.__all__)


@pytest.mark.parametrize("name", sorted(set(vaportrail.__all__) - {"__version__"}))
def test_a_public_name_says_what_it_is(name: str) -> None:
    assert getattr(vaportrail, name).__doc__


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_name_that_a_module_offers_is_there(path: Path) -> None:
    tree = ast.parse(path.read_text())
    defined: set[str] = set()
    offered: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            defined |= names
            if "__all__" in names:
                offered = list(ast.literal_eval(node.value))  # type: ignore[arg-type]
    assert [name for name in offered if name not in defined] == []


def test_the_changelog_has_each_kind_of_change_once_and_in_order() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    order = ["Added", "Changed", "Deprecated", "Fixed", "Removed", "Security"]

    for version in text.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert kinds == [kind for kind in order if kind in kinds]


def test_every_decision_is_listed_once() -> None:
    listed = re.findall(r"\]\((adr/[^)]+)\)", (REPOSITORY / "docs" / "README.md").read_text())

    assert listed == sorted(f"adr/{path.name}" for path in (REPOSITORY / "docs" / "adr").iterdir())
    assert len({name[:8] for name in listed}) == len(listed), "a number is given twice"
