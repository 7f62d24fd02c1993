"""`notebook(...)`: where files are looked for, and what is said of those that are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from vaportrail import notebook, output
from vaportrail.authoring.notebook import NotebookTask
from vaportrail.errors import OptionError, UsageError
from vaportrail.telemetry.notebook_outputs import take_outputs


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
    path.write_text("{}" if ending == ".ipynb" else "")
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


IR = '"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}'
FOREIGN = {
    "R in a notebook": ("nb.ipynb", f'{{"cells": [], "metadata": {{{IR}}}}}', "R"),
    "R by its info": ("nb.ipynb", '{"metadata": {"language_info": {"name": "R"}}}', "R"),
    "R by its kernel": ("nb.ipynb", '{"metadata": {"kernelspec": {"name": "ir"}}}', "R"),
    "bash in a notebook": ("nb.ipynb", '{"metadata": {"kernelspec": {"language": "bash"}}}', "bash"),
    "Julia by its kernel": ("nb.ipynb", '{"metadata": {"kernelspec": {"name": "julia-1.9"}}}', "Julia"),
    "R chunks": ("nb.Rmd", "# T\n\n```{r setup}\nx <- c(1, 2)\n```\n", "R"),
    "R chunks of Quarto": ("nb.qmd", "```{r}\nx\n```\n\n```{python}\nx\n```\n", "R"),
    "bash chunks": ("nb.Rmd", "```{bash}\nls\n```\n", "bash"),
    "a head in comments": ("nb.py", "# ---\n# jupyter:\n#   kernelspec:\n#     language: R\n# ---\n", "R"),
    "a head": ("nb.md", "---\njupyter:\n  kernelspec:\n    name: ir\n---\n", "R"),
    "Quarto's short head": ("nb.qmd", "---\njupyter: ir\n---\n", "R"),
}


@pytest.mark.parametrize(("name", "source", "language"), FOREIGN.values(), ids=FOREIGN)
def test_a_notebook_of_another_language_is_refused_when_it_is_named(
    tmp_path: Path, name: str, source: str, language: str
) -> None:
    (tmp_path / name).write_text(source)

    with pytest.raises(UsageError, match=f"is a notebook of {language}; only Python ones run"):
        notebook(str(tmp_path / name))


PYTHON = {
    "a foreign kernel of Python": (
        "nb.ipynb",
        '{"metadata": {"kernelspec": {"name": "my-env", "language": "python"}}}',
    ),
    "IPython": ("nb.ipynb", '{"metadata": {"language_info": {"name": "ipython"}}}'),
    "nothing said": ("nb.ipynb", '{"cells": []}'),
    "chunks of Python and bash": ("nb.Rmd", "```{python}\n1\n```\n```{bash}\nls\n```\n"),
    "no chunks": ("nb.Rmd", "text\n"),
    "a head that is no YAML": ("nb.md", "---\n\t: [\n---\n"),
    "a head of something else": ("nb.py", "# ---\n# title: R\n# ---\n# %%\n"),
    "a program's head": ("nb.py", "#!/usr/bin/env python\n# ---\n# jupyter:\n#   kernelspec: 3\n# ---\n"),
}


@pytest.mark.parametrize(("name", "source"), PYTHON.values(), ids=PYTHON)
def test_what_is_or_may_be_python_is_taken(tmp_path: Path, name: str, source: str) -> None:
    (tmp_path / name).write_text(source)

    assert notebook(str(tmp_path / name)).name == "nb"


@pytest.mark.parametrize("source", ["", "not json", "[]", '{"cells": '])
def test_a_jupyter_file_that_is_none_is_refused_when_it_is_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "nb.ipynb").write_text(source)

    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        notebook(str(tmp_path / "nb.ipynb"))


@pytest.mark.parametrize("name", ["nb.ipynb", "nb.py"])
def test_a_byte_order_mark_is_no_part_of_a_notebook(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}", encoding="utf-8-sig")

    made: Any = notebook(str(tmp_path / name))

    assert made.fn.source == "{}"


@pytest.mark.parametrize("name", ["html.py", "random.py", "queue.py", "ray.py", "vaportrail.py"])
def test_a_notebook_that_would_be_imported_for_a_module_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# %%\n")

    with pytest.raises(
        UsageError, match=f"import {name[:-3]}` in place of the module '{name[:-3]}'; rename it"
    ):
        notebook(str(tmp_path / name))


@pytest.mark.parametrize("name", ["html.ipynb", "html.md", "test.py", "my-html.py"])
def test_a_name_that_nothing_imports_by_chance_is_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")

    assert notebook(str(tmp_path / name)).kind == "notebook"


@pytest.mark.parametrize("name", ["class", "my-param", "x y", "1st", ""])
def test_a_parameter_that_can_be_no_variable_is_refused_at_the_call(file: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' cannot be a variable of the notebook"):
        notebook(str(file))(**{name: 1})


def test_the_folder_that_a_notebook_runs_in_starts_at_the_file_that_calls(file: Path) -> None:
    made: Any = notebook(str(file), cwd=".")

    assert made.fn.cwd == Path(__file__).parent.absolute()
    assert made.options(cpus=2).fn.cwd == made.fn.cwd


def test_a_folder_to_run_in_that_is_none_is_refused_when_it_is_named(file: Path) -> None:
    with pytest.raises(UsageError, match=r"cwd='nowhere' is no folder: there is no /.*/nowhere; the path is"):
        notebook(str(file), cwd="nowhere")
