"""What is logged of any type is in the record, is shown, and is unpacked: readers go by the one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.record.begun import begun_recorder

from vaportrail.export.page import page_lines
from vaportrail.export.tree import write_tree
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import TaskInfo
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.task_facts import _OfTask
from vaportrail.record.verify import unfounded, verify
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.log_files import record_artifact
from vaportrail.telemetry.log_types import FILE_TYPES, VALUES, FileKind, ValueKind
from vaportrail.telemetry.recorder import Recorder

TASK = "train-1"
FORMS: list[tuple[FileKind, str, str]] = [
    (each.kind, media_type, ending)
    for each in FILE_TYPES
    for media_type, ending in (each.endings or {"application/octet-stream": ""}).items()
]


@pytest.fixture
def with_task(tmp_path: Path) -> Recorder:
    """The recorder of a run of which a task has begun, too."""
    # Not the fixture: these tests run alone, too.
    recorder = begun_recorder(tmp_path)
    call = {
        c.TASK_RUN_ID: TASK, c.TASK_NAME: "train", c.TASK_KIND: "python", c.TASK_ARGUMENTS: "{}",
        c.TASK_OPTIONS: "{}", c.TASK_EDGES: "[]", c.TASK_ALLOW_FAILURE: False,
    }  # fmt: skip
    recorder.span_started("train", "1" * 16, recorder.run_span_id, event=c.EVENT_TASK_SUBMITTED, values=call)
    return recorder


def sealed(recorder: Recorder) -> Run:
    recorder.writer.close()
    seal_spool(Path(recorder.settings.spool))
    run = open_run(recorder.settings.record_uri)
    assert run.manifest is not None
    assert verify(open_store(run.uri), "it").problems == []
    assert unfounded(open_store(run.uri), run.manifest) == []
    return run


def unpacked(run: Run, target: Path) -> Path:
    said: list[str] = []
    write_tree(run, target, said.append)
    assert said == []
    return target


def test_values_are_called_like_nothing_else_of_a_task() -> None:
    slots = _OfTask.__slots__
    others = {*TaskInfo.model_fields, "tasks", "attempts", "artifacts"}

    assert len(set(slots)) == len(slots)
    assert not others & {each.many for each in VALUES.values()}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_any_type_is_recorded_shown_and_unpacked(
    kind: ValueKind, with_task: Recorder, tmp_path: Path
) -> None:
    logged, attempt = VALUES[kind], AttemptScope(TASK, "train", 1, "1" * 16)
    for value in (0.5, 2.5):
        with_task.log(value, event=logged.event, values={c.VALUE_NAME: "mine"}, attempt=attempt)
    with_task.log(7, event=logged.event, values={c.VALUE_NAME: "whole"})
    run = sealed(with_task)
    tree = unpacked(run, tmp_path / "tree")
    rows = run.facts.table.rows(kind)
    page = "\n".join(page_lines(run))
    task = json.loads((tree / "tasks" / TASK / "task.json").read_text())
    whole = json.loads((tree / "run.json").read_text())

    assert [(row.task, row.name) for row in rows] == [("", "whole"), (TASK, "mine")]
    assert run.facts.head.totals[logged.many] == 2
    assert "logged" in page
    assert "mine = 2.5" in page
    assert "whole = 7" in page
    assert task[logged.many] == {"mine": 2.5}
    assert [row["name"] for row in whole[logged.many]] == ["whole", "mine"]
    assert (tree / "tasks" / TASK / f"{logged.many}.csv").exists() is logged.numbers


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_that_is_none_of_its_type_is_left_out_and_counted(
    kind: ValueKind, with_task: Recorder
) -> None:
    wrong = "text" if VALUES[kind].numbers else b"bytes"
    with_task.log(wrong, event=VALUES[kind].event, values={c.VALUE_NAME: "mine"})
    run = sealed(with_task)

    assert list(run.facts.table.rows(kind)) == []
    assert run.facts.counts.unreadable_records == 1


@pytest.mark.parametrize(("kind", "media_type", "ending"), FORMS)
def test_a_file_of_any_type_is_recorded_shown_and_unpacked(
    kind: FileKind, media_type: str, ending: str, with_task: Recorder, tmp_path: Path
) -> None:
    record_artifact(with_task, "folder/mine", b"content", media_type, kind)
    run = sealed(with_task)
    tree = unpacked(run, tmp_path / "tree")

    assert [(row.name, row.kind, row.media_type) for row in run.facts.artifacts] == [
        ("folder/mine", kind, media_type)
    ]
    assert [line for line in page_lines(run) if line.startswith("files       1,")]
    assert (tree / "pipeline" / "folder" / f"mine{ending}").read_bytes() == b"content"
