"""How a run ended, from how its tasks ended."""

from __future__ import annotations

import pytest

from vaportrail.authoring.options import TaskOptions
from vaportrail.authoring.task import Task
from vaportrail.contract import Failure, Outcome
from vaportrail.execution.call import TaskCall
from vaportrail.execution.verdict import Verdict, judge

BODY = Failure(type="KeyError", message="'x'")


def call(name: str, outcome: Outcome, *upstream: str, allow: bool = False) -> TaskCall:
    made = TaskCall(
        task_id=name,
        task=Task(len, TaskOptions(allow_failure=allow)),
        function=b"",
        payload=b"",
        inputs=[],
        upstream=list(upstream),
        label=name,
        span_id="",
        submitted_unix_nano=0,
    )
    made.outcome = outcome
    return made


OK = call("ok", Outcome.SUCCEEDED)
BAD = call("bad", Outcome.FAILED)
ALLOWED = call("allowed", Outcome.FAILED, allow=True)


@pytest.mark.parametrize(
    ("calls", "body", "outcome", "message"),
    [
        ([], None, Outcome.SUCCEEDED, "0 of 0 tasks succeeded"),
        ([OK], None, Outcome.SUCCEEDED, "1 of 1 tasks succeeded"),
        ([OK, BAD], None, Outcome.FAILED, "bad FAILED; 1 of 2 tasks succeeded"),
        ([OK], BODY, Outcome.FAILED, "the pipeline's body raised KeyError: 'x'"),
        ([BAD], BODY, Outcome.FAILED, "bad FAILED; 0 of 1 tasks succeeded"),
        ([ALLOWED], None, Outcome.SUCCEEDED, "0 of 1 tasks succeeded"),
        (
            [ALLOWED, call("after", Outcome.SKIPPED, "allowed")],
            None,
            Outcome.SUCCEEDED,
            "0 of 2 tasks succeeded",
        ),
        (
            [ALLOWED, BAD, call("after", Outcome.SKIPPED, "allowed", "bad")],
            None,
            Outcome.FAILED,
            "bad FAILED; 0 of 3 tasks succeeded",
        ),
        (
            [call(f"t{i}", Outcome.TIMED_OUT) for i in range(5)],
            None,
            Outcome.FAILED,
            "t0 TIMED_OUT, t1 TIMED_OUT, t2 TIMED_OUT and 2 more; 0 of 5 tasks succeeded",
        ),
    ],
    ids=["none", "good", "bad", "body", "both", "allowed", "allowed skip", "mixed skip", "many"],
)
def test_the_verdict(calls: list[TaskCall], body: Failure | None, outcome: Outcome, message: str) -> None:
    verdict = judge(calls, body)

    assert (verdict.outcome, verdict.message) == (outcome, message)


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.TIMED_OUT])
def test_a_run_that_was_ended_from_outside_says_so_whatever_its_tasks_did(outcome: Outcome) -> None:
    verdict = judge([OK, BAD], None, stopped=Verdict(outcome, "ended"))

    assert (verdict.outcome, verdict.message) == (outcome, "ended; 1 of 2 tasks succeeded")
