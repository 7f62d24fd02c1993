"""Tasks whose names would stand in each other's way have folders of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vaportrail.export.tree import write_tree
from vaportrail.record.manifest import Facts
from vaportrail.record.reading.recorded_run import Run

if TYPE_CHECKING:
    from tests.conftest import Sealed


def test_task_ids_that_collide_as_paths_are_all_written(small: Sealed, tmp_path: Path) -> None:
    manifest = small.run.manifest
    assert manifest is not None
    content = json.loads(manifest.to_bytes())
    names = ["a", "a/task.json", "a/task.json/x"]
    for task, name in zip(content["tasks"], names, strict=True):
        task["id"] = name
    content["artifacts"] = []
    changed = type(manifest).model_validate(content)
    assert isinstance(changed, Facts)

    write_tree(Run(small.uri, changed, manifest=changed), tmp_path, lambda line: None)

    found = [json.loads(path.read_text())["id"] for path in (tmp_path / "tasks").glob("*/task.json")]
    assert sorted(found) == names
