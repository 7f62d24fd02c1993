"""Sealed records of every version and kind stay readable, and say what they always did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vaportrail.export.mermaid import flowchart, gantt_chart
from vaportrail.export.page import page_lines
from vaportrail.export.tree import write_tree
from vaportrail.record.reading.read import open_run
from vaportrail.record.verify import unfounded, verify
from vaportrail.storage.store import open_store

GOLDEN = Path(__file__).parent / "golden"
RECORDS = sorted(path.parent for path in GOLDEN.glob("*/*/manifest.json"))
EXPECTED = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))


def test_there_are_records_of_every_version() -> None:
    assert {path.parent.name for path in RECORDS} == {"draft", "1.0"}
    assert {path.name for path in RECORDS} == {"small", "failures", "lost"}


@pytest.fixture(params=RECORDS, ids=[f"{path.parent.name}-{path.name}" for path in RECORDS])
def record(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_it_verifies_and_follows_from_its_files(record: Path) -> None:
    store = open_store(str(record))
    found = verify(store, str(record))

    assert found.problems == []
    assert found.manifest is not None
    assert unfounded(store, found.manifest) == []


def test_it_says_what_it_always_said(record: Path) -> None:
    run = open_run(str(record))
    expected = EXPECTED[record.name]

    assert run.outcome == expected["outcome"]
    assert {task.id: task.outcome.value for task in run.tasks} == expected["tasks"]
    assert {task.id: [a.outcome.value for a in task.attempts] for task in run.tasks} == expected["attempts"]
    assert sorted(run.artifacts()) == expected["artifacts"]
    assert sorted({f"{point.task} {point.name}" for point in run.metrics()}) == expected["metrics"]
    assert run.facts.counts.loss == expected["loss"]


def test_all_that_shows_a_record_shows_it(record: Path, tmp_path: Path) -> None:
    run = open_run(str(record))
    said: list[str] = []
    write_tree(run, tmp_path / "tree", said.append)

    assert said == []
    assert [line for line in page_lines(run) if "golden" in line]
    assert flowchart(run.facts).count(":::") == len(run.tasks)
    assert gantt_chart(run.facts).startswith("gantt")
    assert {task["id"] for task in json.loads(run.facts.to_json())["tasks"]} == {
        task.id for task in run.tasks
    }
    assert len(list(run.logs())) == EXPECTED[record.name]["lines"]


@pytest.mark.parametrize("change", ["a byte", "a file gone", "a file added"])
def test_damage_is_found_in_it(record: Path, tmp_path: Path, change: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(record, copy)
    logs = copy / "logs-0001.jsonl.gz"
    if change == "a byte":
        logs.write_bytes(logs.read_bytes()[:-1] + b"\x01")
    elif change == "a file gone":
        logs.unlink()
    else:
        logs = copy / "logs-0009.jsonl.gz"
        logs.write_bytes(b"")

    assert {problem.path for problem in verify(open_store(str(copy)), "it").problems} == {logs.name}
