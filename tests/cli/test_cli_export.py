"""`vaportrail export`: diagrams, and a record as a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import Sealed


def test_the_flowchart_has_a_node_a_task_and_an_arrow_an_edge(command: Command, mnist: Sealed) -> None:
    said = command("export", "mermaid", mnist.folder)

    assert said.lines[0] == "flowchart LR"
    assert sum(":::succeeded" in line for line in said.lines) == 12
    assert sum(" --> " in line for line in said.lines) == 18


def test_the_flowchart_dashes_what_is_only_an_order(command: Command, small: Sealed) -> None:
    assert sum(" -.-> " in line for line in command("export", "mermaid", small.folder).lines) == 1


def test_the_flowchart_shows_how_tasks_ended(command: Command, failures: Sealed) -> None:
    said = command("export", "mermaid", failures.folder).out

    assert said.count(":::skipped") == failures.run.facts.verdict.tasks["SKIPPED"]
    assert said.count(":::succeeded") == failures.run.facts.verdict.tasks["SUCCEEDED"]


def test_the_gantt_chart_has_a_bar_an_attempt(command: Command, small: Sealed) -> None:
    lines = command("export", "mermaid", "--gantt", small.folder).lines

    assert lines[0] == "gantt"
    assert sum(line.startswith("  SUCCEEDED 1 :") for line in lines) == 3


def test_the_gantt_chart_marks_what_failed(command: Command, failures: Sealed) -> None:
    lines = command("export", "mermaid", "--gantt", failures.folder).lines

    assert sum(":crit, " in line for line in lines) == sum(
        1 for a in failures.run.facts.attempts if a.started and a.ended and not a.outcome.ok
    )


def test_the_tree_has_every_file_under_its_own_name(command: Command, small: Sealed, tmp_path: Path) -> None:
    command("export", "tree", small.folder, "-o", "tree")

    unpacked = {
        p.relative_to(tmp_path / "tree").as_posix() for p in (tmp_path / "tree").rglob("*") if p.is_file()
    }
    assert unpacked == {
        "run.json",
        "tasks/make-1/task.json",
        "tasks/make-1/log.txt",
        "tasks/double-1/task.json",
        "tasks/double-1/metrics.csv",
        "tasks/double-1/files/folder/data.bin",
        "tasks/double-1/files/shape.json",
        "tasks/double-1/files/table.csv",
        "tasks/double-1/files/thread.txt",
        "tasks/report-1/task.json",
        "tasks/report-1/log.txt",
        "tasks/report-1/metrics.csv",
        "tasks/report-1/files/notebook.html",
        "tasks/report-1/files/notebook.ipynb",
    }


def test_the_files_of_the_tree_are_the_stored_ones(command: Command, small: Sealed, tmp_path: Path) -> None:
    command("export", "tree", small.folder, "-o", "tree")

    assert (tmp_path / "tree/tasks/double-1/files/folder/data.bin").read_bytes() == b"\x00\x01"


def test_the_tree_says_how_many_files_it_wrote(command: Command, small: Sealed) -> None:
    assert command("export", "tree", small.folder, "-o", "tree").out == "14 files in tree\n"


def test_the_tree_is_named_after_the_run_unless_told(command: Command, small: Sealed, tmp_path: Path) -> None:
    command("export", "tree", small.folder)

    assert (tmp_path / small.folder.name / "run.json").exists()


def test_the_tree_may_go_into_an_empty_folder(command: Command, small: Sealed, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()

    assert command("export", "tree", small.folder, "-o", "tree").code == 0


def test_the_tree_refuses_a_folder_that_is_not_empty(command: Command, small: Sealed, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine").write_text("mine")
    said = command("export", "tree", small.folder, "-o", "tree")

    assert said.code == 2
    assert said.err == "error: tree exists and is not empty: give a new folder with --output\n"


def test_the_tree_refused_leaves_the_folder_as_it_was(
    command: Command, small: Sealed, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine").write_text("mine")
    command("export", "tree", small.folder, "-o", "tree")

    assert [path.name for path in (tmp_path / "tree").iterdir()] == ["mine"]


def test_the_tree_refuses_a_file(command: Command, small: Sealed, tmp_path: Path) -> None:
    (tmp_path / "tree").write_text("mine")

    assert command("export", "tree", small.folder, "-o", "tree").code == 2


def test_the_tree_has_all_but_the_file_that_came_to_harm(command: Command, small_copy: Path) -> None:
    data = hashlib.sha256(b"\x00\x01").hexdigest()
    (small_copy / "artifacts" / data).write_bytes(b"harmed")
    said = command("export", "tree", small_copy, "-o", "tree")

    assert (said.code, said.out) == (1, "13 files in tree\n")
    assert said.err.startswith("left out: artifact 'folder/data.bin' at ")
