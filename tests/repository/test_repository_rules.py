"""Rules of the whole repository that no linter knows."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import vaportrail

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "runner" / "src" / "vaportrail"
MODULES = sorted(PACKAGE.rglob("*.py"))
OPERATOR = sorted((REPOSITORY / "operator" / "src").rglob("*.py"))


@pytest.mark.parametrize("path", [*MODULES, *OPERATOR], ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_has_at_most_350_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350


def test_half_of_the_modules_have_less_than_150_lines() -> None:
    assert statistics.median(len(path.read_text().splitlines()) for path in [*MODULES, *OPERATOR]) < 150


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


@pytest.mark.parametrize("module", ["outcome", "run_identity", "pod_environment", "otlp_signals"])
def test_what_every_process_starts_with_needs_nothing_but_the_standard_library(module: str) -> None:
    tree = ast.parse((PACKAGE / "contract" / f"{module}.py").read_text())
    roots = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert roots <= sys.stdlib_module_names


def test_a_record_is_read_without_ray() -> None:
    assert "ray" not in loaded_by(
        "import vaportrail.record.reading.read, vaportrail.record.seal.execute_plan, vaportrail.cli.main"
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
