"""What a process can do to the record that watches it."""

from __future__ import annotations

import pytest

from conftest import PIPELINES, Sealed, make_run
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry.identity import cell_span_id


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    sealed: Sealed = make_run(tmp_path_factory.mktemp("edges"), f"{PIPELINES / 'edges.py'}:edges")
    return sealed.run


def test_a_fork_writes_a_file_of_its_own_and_both_are_recorded(run: Run) -> None:
    assert run.task("forks-1").outcome is Outcome.SUCCEEDED
    assert run.task("forks-1").metrics == {"parent": 1, "child": 1}


def test_the_exit_code_of_a_program_that_a_task_starts_is_its_own(run: Run) -> None:
    assert run.task("asks_a_program-1").params == {"exit code": 1}


def test_a_megabyte_from_c_code_that_holds_the_interpreter_lock_is_recorded(run: Run) -> None:
    lines = [line.text for line in run.task("floods-1").logs()]

    assert len(lines) == 10_000
    assert set(lines) == {"x" * 99}


def test_output_that_is_no_text_or_has_no_end_is_recorded(run: Run) -> None:
    assert [line.text for line in run.task("odd_output-1").logs()] == [
        "done",
        "\\xff\\xfe not UTF-8",
        "no end",
    ]


def test_a_kernel_that_dies_leaves_the_partly_run_notebook(run: Run) -> None:
    (attempt,) = run.task("dying_notebook-1").attempts

    assert attempt.outcome is Outcome.WORKER_LOST
    assert attempt.failure is not None
    assert "the kernel of dying_notebook.py ended with exit code 1 in cell 2" in attempt.failure.message
    assert b"before the kernel dies" in run.task("dying_notebook-1").artifacts()["notebook.ipynb"].read()


def test_what_a_cell_prints_just_before_its_worker_is_killed_is_recorded_as_the_cells(run: Run) -> None:
    task = run.task("worker_killing_notebook-1")
    spans = {cell_span_id(task.attempts[0].span_id, number) for number in (1, 2)}
    assert run.manifest is not None
    logged = {
        record.body["body"]["stringValue"]: record.body["spanId"]
        for record in sealed_records(open_store(run.uri), run.manifest, "logs")
        if record.body.get("spanId") in spans and not record.body.get("eventName")
    }

    assert task.attempts[0].outcome is Outcome.WORKER_LOST
    assert sorted((line.source, line.text) for line in task.logs()) == [
        ("stderr", "a complaint without an end"),
        ("stdout", "last words"),
        ("stdout", "on record long before"),
    ]
    assert logged == {
        "on record long before": cell_span_id(task.attempts[0].span_id, 1),
        "last words": cell_span_id(task.attempts[0].span_id, 2),
        "a complaint without an end": cell_span_id(task.attempts[0].span_id, 2),
    }


def test_nothing_of_it_was_lost(run: Run) -> None:
    assert run.facts.counts.loss == "None"
