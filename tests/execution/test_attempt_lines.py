"""What an attempt writes of itself is what any other span's beginning and end are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution.attempt_lines import AttemptLines
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import read_spool

IDENTITY = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "p", "first", 5)
NAMES = ("train", "per cent %s %(seq)s", 'a "quoted" näme\n', "lone \udc80 surrogate")


def spooled(recorder: Recorder) -> list[Any]:
    (spool,) = Path(recorder.settings.spool).glob("*.spool")
    with spool.open("rb") as file:
        return [(line.kind, line.scope, line.record) for line in read_spool(file)]


@pytest.mark.parametrize("name", NAMES)
def test_both_lines_say_what_a_recorder_says(name: str, tmp_path: Path) -> None:
    scope = AttemptScope(f"{name}-1", name, 2, "a" * 16)
    parent = "b" * 16
    ours = Recorder(RunSettings(IDENTITY, str(tmp_path / "ours"), "", "x"), "worker", clock=lambda: 9)
    other = Recorder(RunSettings(IDENTITY, str(tmp_path / "other"), "", "x"), "worker", clock=lambda: 9)
    lines = AttemptLines(ours, name, "node")

    lines.begun(scope, parent, 5, {"stdout": 3, "stderr": 4})
    lines.ended(scope, parent, 5, Outcome.SUCCEEDED, None, {})

    values = {c.PROCESS_PID: os.getpid(), c.NODE_ID: "node", c.STDOUT_OFFSET: 3, c.STDERR_OFFSET: 4}
    event = c.EVENT_ATTEMPT_STARTED
    other.span_started(name, scope.span_id, parent, event=event, values=values, attempt=scope, unix_nano=5)
    named = {
        c.TASK_NAME: name,
        c.TASK_RUN_ID: scope.task_id,
        c.ATTEMPT: 2,
        c.TASK_RUN_RESULT: "success",
        c.OUTCOME: "SUCCEEDED",
    }
    other.span(name, scope.span_id, parent, 5, 9, values=named)
    assert spooled(ours) == spooled(other)
    assert [kind for kind, _, _ in spooled(ours)] == ["L", "T"]


def test_an_end_that_is_none_like_the_others_says_all_of_it(tmp_path: Path) -> None:
    recorder = Recorder(RunSettings(IDENTITY, str(tmp_path), "", "x"), "worker")
    lines = AttemptLines(recorder, "t", "node")
    scope = AttemptScope("t-1", "t", 1, "a" * 16)

    lines.ended(scope, "b" * 16, 5, Outcome.FAILED, Failure("ValueError", "is bad", "..."), {})
    lines.ended(scope, "b" * 16, 5, Outcome.SUCCEEDED, None, {c.STDOUT_END: 7})

    (_, _, failed), (_, _, unread) = spooled(recorder)
    assert failed["status"] == {"code": 2, "message": "is bad"}
    assert "ValueError" in json.dumps(failed["events"])
    assert {"key": c.STDOUT_END, "value": {"intValue": "7"}} in unread["attributes"]
