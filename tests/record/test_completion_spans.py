"""What the sealer says of spans that have no end."""

from __future__ import annotations

from typing import Any

import pytest

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.otlp_lines import Record
from vaportrail.record.seal.completion import Completion
from vaportrail.record.seal.spool_plan import SealPlan
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes, read_attributes

NOT_ENDED, DIED = "it was never ended", "its process died before it ended"
FIRST: dict[str, Any] = {c.TASK_RUN_ID: "task-1", c.ATTEMPT: 1}
SECOND: dict[str, Any] = {c.TASK_RUN_ID: "task-2", c.ATTEMPT: 1}
OF_A_TASK: dict[str, Any] = {c.TASK_RUN_ID: "task-1"}


def resource(writer: str) -> dict[str, Any]:
    return {"attributes": attributes({c.WRITER_ID: writer})}


def opened(span: str, time: int, writer: str = "w", **named: Any) -> Record:
    values = {c.SPAN_NAME: span, c.SPAN_PARENT: "", c.SPAN_KIND: 1, c.SEQ: time, **named}
    body = {"timeUnixNano": str(time), "traceId": "t", "spanId": span, "attributes": attributes(values)}
    return Record("L", resource(writer), c.SCOPE, body)


def ended(span: str, time: int, writer: str = "w", scope: str = c.SCOPE, **named: Any) -> Record:
    body = {
        "spanId": span,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": str(time),
        "attributes": attributes({c.SEQ: time, **named}),
    }
    return Record("T", resource(writer), scope, body)


CASES: dict[str, tuple[list[Record], str, int]] = {
    "its attempt ended": ([ended("attempt", 5, **FIRST)], NOT_ENDED, 5),
    "its attempt and then others ended": (
        [ended("attempt", 5, **FIRST), ended("next", 9, **SECOND)],
        NOT_ENDED,
        5,
    ),
    "nothing of its process came after it": ([], DIED, 3),
    "another attempt had ended before it": ([ended("other", 2, **SECOND)], DIED, 3),
    "an earlier cell of its notebook had ended before it": ([ended("cell", 2, **FIRST)], DIED, 3),
    "a span of the user's own ended in its attempt": ([ended("own", 5, scope="mine", **FIRST)], DIED, 5),
    "its attempt was ended by another process": ([ended("attempt", 5, "other", **FIRST)], DIED, 5),
    "its task was ended by the runner": ([ended("task", 5, "runner", **OF_A_TASK)], DIED, 5),
}


@pytest.mark.parametrize(("after", "message", "end"), CASES.values(), ids=CASES)
def test_a_span_without_an_end_is_said_to_be_one_where_its_process_lived_on(
    after: list[Record], message: str, end: int
) -> None:
    assert told([opened("span", 3, **FIRST), *after]) == (message, end)


def test_a_span_of_the_pipelines_body_has_no_end_where_the_run_has_one() -> None:
    assert told([opened("span", 3), ended("task", 4, **OF_A_TASK)]) == (DIED, 4)
    assert told([opened("span", 3), ended("task", 4, **OF_A_TASK), ended("run", 6)]) == (NOT_ENDED, 6)


A_TASK = {c.TASK_KIND: "python", **OF_A_TASK}
AN_ATTEMPT = {c.STDOUT_OFFSET: 0, **FIRST}


def run_ended(outcome: Outcome) -> Record:
    values = {c.SEQ: 8, c.OUTCOME: outcome.value, c.RUN_MESSAGE: "no space left"}
    body = {"timeUnixNano": "8", "spanId": "run", "eventName": c.EVENT_RUN_ENDED}
    return Record("L", resource("runner"), c.SCOPE, {**body, "attributes": attributes(values)})


def with_end(outcome: Outcome, **named: Any) -> Record:
    return ended("end", 5, **{c.TASK_RUN_RESULT: "x", c.OUTCOME: outcome.value, **named})


UNWRITTEN: dict[str, tuple[dict[str, Any], list[Record], Outcome]] = {
    "a task of a runner that died": (A_TASK, [with_end(Outcome.SUCCEEDED, **FIRST)], Outcome.RUNNER_LOST),
    "a task whose last attempt is known": (
        A_TASK,
        [
            with_end(Outcome.SUCCEEDED, **{**FIRST, c.ATTEMPT: 2}),
            with_end(Outcome.FAILED, **FIRST),
            run_ended(Outcome.FAILED),
        ],
        Outcome.SUCCEEDED,
    ),
    "a task of which nothing is known": (A_TASK, [run_ended(Outcome.CANCELLED)], Outcome.CANCELLED),
    "a task of a run that succeeded all the same": (
        A_TASK,
        [run_ended(Outcome.SUCCEEDED)],
        Outcome.RUNNER_LOST,
    ),
    "an attempt whose task is known": (
        AN_ATTEMPT,
        [with_end(Outcome.TIMED_OUT, **OF_A_TASK), run_ended(Outcome.FAILED)],
        Outcome.TIMED_OUT,
    ),
    "a run whose span is missing": (
        {c.SCHEMA: "1", c.PIPELINE_NAME: "p"},
        [run_ended(Outcome.FAILED)],
        Outcome.FAILED,
    ),
}


@pytest.mark.parametrize(("said", "others", "outcome"), UNWRITTEN.values(), ids=UNWRITTEN)
def test_what_has_no_end_in_a_run_that_has_one_ended_by_what_else_is_known(
    said: dict[str, Any], others: list[Record], outcome: Outcome
) -> None:
    values = read_attributes(added([opened("span", 3, **said), *others]).body["attributes"])
    assert values[c.OUTCOME] == outcome.value


def told(records: list[Record]) -> tuple[str, int]:
    """Return the message and the end of the one span that the sealer adds."""
    span = added(records)
    return span.body["status"]["message"], int(span.body["endTimeUnixNano"])


def added(records: list[Record]) -> Record:
    """Return the one span that the sealer adds."""
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), "spool", "root", "runs/p/x")
    plan = SealPlan(settings=settings, sealed_at_unix_nano=9, writers=[], lost=[], artifacts=[])
    completion = Completion(plan)
    for record in records:
        completion.see(record)
    (span,) = completion.spans()
    return span
