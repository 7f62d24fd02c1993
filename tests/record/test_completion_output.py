"""To whom the sealer gives output that its process had no time to record."""

from __future__ import annotations

from typing import Any

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.otlp_lines import Record
from vaportrail.record.seal.completion import Completion
from vaportrail.record.seal.spool_plan import SealPlan
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes

WORKER = {"attributes": attributes({c.WRITER_ID: "w"})}


def log(seq: int, event: str = "", **named: Any) -> Record:
    values = {**{key: value for key, value in named.items() if value is not None}, c.SEQ: seq}
    body = {"timeUnixNano": "5", "traceId": "t", "spanId": "s", "attributes": attributes(values)}
    return Record("L", WORKER, "stdout", {**body, "eventName": event} if event else body)


def started(seq: int, offset: int) -> Record:
    named: dict[str, Any] = {
        c.TASK_RUN_ID: "task-1",
        c.ATTEMPT: 1,
        c.STDOUT_OFFSET: offset,
        c.STDERR_OFFSET: 0,
    }
    return log(seq, c.EVENT_ATTEMPT_STARTED, **named)


def ended(seq: int) -> Record:
    values = {c.TASK_RUN_ID: "task-1", c.ATTEMPT: 1, c.OUTCOME: "SUCCEEDED", c.SEQ: seq}
    body = {"spanId": "s", "startTimeUnixNano": "5", "endTimeUnixNano": "6", "attributes": attributes(values)}
    return Record("T", WORKER, "vaportrail", body)


def line(seq: int, end: int) -> Record:
    return log(seq, **{c.LOG_IOSTREAM: "stdout", c.STREAM_OFFSET: end})


@pytest.fixture
def completion() -> Completion:
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), "spool", "root", "runs/p/x")
    return Completion(SealPlan(settings=settings, sealed_at_unix_nano=9, writers=[], lost=[], artifacts=[]))


def owner(completion: Completion, rest: bytes) -> list[tuple[str, str]]:
    found = completion.output_blocks("w", "stdout", rest)
    return [(r.body["body"]["stringValue"], r.attributes.get(c.TASK_RUN_ID, "")) for r in found]


def test_the_rest_belongs_to_the_attempt_that_was_running(completion: Completion) -> None:
    completion.see(started(1, 0))

    assert owner(completion, b"last words") == [("last words", "task-1")]


def test_it_does_so_also_where_markers_that_were_passed_over_come_before_it(completion: Completion) -> None:
    completion.see(line(1, 10))
    completion.see(started(2, 25))

    assert completion.read_up_to("w", "stdout") == 25
    assert owner(completion, b"last words\n") == [("last words", "task-1")]


def test_the_rest_of_what_cells_print_belongs_to_the_cell_that_was_running(completion: Completion) -> None:
    named: dict[str, Any] = {c.TASK_RUN_ID: "task-1", c.ATTEMPT: 1, c.STDOUT_OFFSET: 0, c.STDERR_OFFSET: 0}
    completion.see(log(1, c.EVENT_CELL_OUTPUT, **named))
    completion.see(line(2, 10))
    found = list(completion.output_blocks("w", "stdout", b"last words"))

    assert [(each.attributes[c.TASK_RUN_ID], each.body["spanId"]) for each in found] == [("task-1", "s")]
    assert [each.attributes[c.STREAM_OFFSET] for each in found] == [20]


def test_what_is_printed_after_the_attempt_ended_belongs_to_no_attempt(completion: Completion) -> None:
    completion.see(started(1, 0))
    completion.see(ended(2))

    assert owner(completion, b"too late\n") == [("too late", "")]
