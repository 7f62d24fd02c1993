"""`notebook(...)`: where files are looked for, and what is said of those that are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from vaportrail import notebook, output
from vaportrail.authoring.notebook import NotebookTask, take_outputs
from vaportrail.errors import OptionError, UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bench.py"
    path.write_text("# %%\nx = 1\n")
    return path


def test_a_notebook_is_a_task_named_after_its_file(file: Path) -> None:
    task = notebook(str(file))
    assert isinstance(task, NotebookTask)
    assert (task.name, task.kind) == ("bench", "notebook")


def test_a_notebooks_source_is_read_when_it_is_named(file: Path) -> None:
    task: Any = notebook(str(file))
    file.write_text("# %%\nx = 2\n")
    assert task.fn.source == "# %%\nx = 1\n"


def test_a_relative_path_starts_at_the_file_that_calls() -> None:
    here = Path(__file__)
    task: Any = notebook(here.name)
    assert task.fn.path == here.absolute()


def test_without_a_calling_file_a_path_starts_at_the_current_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    scope: dict[str, Any] = {"notebook": notebook}
    exec("made = notebook('bench.py')", scope)
    assert scope["made"].fn.path == file


def test_a_missing_file_is_named_with_where_it_was_looked_for() -> None:
    with pytest.raises(UsageError, match=r"notebook 'nowhere\.py' cannot be read at /.*nowhere\.py: No such"):
        notebook("nowhere.py")


def test_a_folder_is_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        notebook(str(tmp_path / "folder.py"))


@pytest.mark.parametrize("name", ["notes.txt", "bench", "bench.PY.bak"])
def test_a_file_of_another_kind_is_refused_with_the_endings_that_are_taken(name: str) -> None:
    with pytest.raises(UsageError, match=r"must end in one of \.py, \.ipynb"):
        notebook(name)


@pytest.mark.parametrize("ending", [".py", ".ipynb", ".md", ".Rmd", ".qmd"])
def test_every_ending_that_is_named_is_taken(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"nb{ending}"
    path.write_text("")
    assert notebook(str(path)).name == "nb"


def test_bad_options_say_which_notebook(file: Path) -> None:
    with pytest.raises(OptionError, match=r"notebook '.*bench\.py': cpus=-1"):
        notebook(str(file), cpus=-1)


def test_options_of_a_notebook_give_a_notebook(file: Path) -> None:
    assert isinstance(notebook(str(file)).options(name="other"), NotebookTask)


def test_naming_a_notebook_imports_no_notebook_library(file: Path) -> None:
    before = set(sys.modules)
    notebook(str(file))
    assert not {"nbclient", "jupytext"} & (set(sys.modules) - before)


def test_output_keeps_the_latest_value_of_each_name() -> None:
    output(auc=0.5, other=1)
    output(auc=0.75)
    assert {"auc": 0.75, "other": 1}.items() <= take_outputs().items()


def test_taken_outputs_are_a_copy() -> None:
    take_outputs()["intruder"] = 1
    assert "intruder" not in take_outputs()
