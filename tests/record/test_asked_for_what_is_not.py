"""A question that names what there is not gets an answer that says so, not an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.record.begun import begun_recorder

import vaportrail
from vaportrail.errors import UsageError
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.telemetry import conventions as c

TASK = "train-1"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A sealed run of one task, of which nothing more is told."""
    recorder = begun_recorder(tmp_path)
    call = {
        c.TASK_RUN_ID: TASK, c.TASK_NAME: "train", c.TASK_KIND: "python", c.TASK_ARGUMENTS: "{}",
        c.TASK_OPTIONS: "{}", c.TASK_EDGES: "[]", c.TASK_ALLOW_FAILURE: False,
    }  # fmt: skip
    recorder.span_started("train", "1" * 16, recorder.run_span_id, event=c.EVENT_TASK_SUBMITTED, values=call)
    recorder.writer.close()
    seal_spool(Path(recorder.settings.spool))
    return open_run(recorder.settings.record_uri)


def test_logs_and_files_of_a_task_that_is_not_there_are_refused_with_those_that_are(run: Run) -> None:
    for ask in (run.logs, run.artifacts):
        with pytest.raises(KeyError, match=f"no task 'trian-1'; there are {TASK}"):
            ask(task="trian-1")
        for known in (TASK, "", "(worker)"):
            assert not list(ask(task=known))


def test_a_best_that_is_neither_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="best: 'mx': use 'min' or 'max'"):
        run.metrics(best="mx")  # type: ignore[call-overload]
    assert run.metrics(best="max") == []


def test_runs_are_looked_for_where_they_are_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    root = run.uri.partition("/runs/")[0]
    monkeypatch.setenv("VAPORTRAIL_RECORD", root)
    assert [found.uri for found in vaportrail.runs()] == [run.uri]
