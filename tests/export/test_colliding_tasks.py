"""Tasks whose names would stand in each other's way have folders of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vaportrail.export.tree import write_tree
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.run_facts import Facts

if TYPE_CHECKING:
    from tests.conftest import Sealed


def test_task_ids_that_collide_as_paths_are_all_written(small: Sealed, tmp_path: Path) -> None:
    names = ["a", "a/task.json", "a/task.json/x"]
    tasks = [
        task.model_copy(update={"id": name}) for task, name in zip(small.run.facts.tasks, names, strict=True)
    ]
    changed = Facts.of(small.run.facts.head, {"task": tasks})

    write_tree(Run(small.uri, changed, manifest=changed.head), tmp_path, lambda line: None)

    found = [json.loads(path.read_text())["id"] for path in (tmp_path / "tasks").glob("*/task.json")]
    assert sorted(found) == names
