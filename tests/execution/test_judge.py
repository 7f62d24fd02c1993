"""How a run ended, from how its tasks ended."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.execution.call import TaskCall
from vaportrail.execution.judge import judge
from vaportrail.execution.verdict import Verdict

BODY = Failure(type="KeyError", message="'x'")


def call(name: str, outcome: Outcome, *upstream: str, allow: bool = False) -> TaskCall:
    made = TaskCall(
        task_id=name,
        name=name,
        kind="python",
        options=TaskOptions(allow_failure=allow),
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


def chain(length: int) -> list[TaskCall]:
    """A failed head, and one skipped task after the other."""
    head = call("t0", Outcome.FAILED)
    return [head, *(call(f"t{i}", Outcome.SKIPPED, f"t{i - 1}") for i in range(1, length))]


def fan_out(width: int) -> list[TaskCall]:
    """A failed head, and tasks that each need only it."""
    return [call("t0", Outcome.FAILED), *(call(f"t{i}", Outcome.SKIPPED, "t0") for i in range(1, width))]


def layers(depth: int, width: int) -> list[TaskCall]:
    """Layers of which each task needs all of the layer before; the first failed and was allowed to."""
    calls = [call(f"t0.{i}", Outcome.FAILED, allow=True) for i in range(width)]
    for layer in range(1, depth):
        before = [f"t{layer - 1}.{i}" for i in range(width)]
        calls += [call(f"t{layer}.{i}", Outcome.SKIPPED, *before) for i in range(width)]
    return calls


@pytest.mark.parametrize(
    ("make", "outcome", "message"),
    [
        (lambda: chain(2000), Outcome.FAILED, "t0 FAILED; 0 of 2000 tasks succeeded"),
        (lambda: fan_out(100_000), Outcome.FAILED, "t0 FAILED; 0 of 100000 tasks succeeded"),
        (lambda: layers(13, 5), Outcome.SUCCEEDED, "0 of 65 tasks succeeded"),
    ],
    ids=["a chain of 2,000", "a fan-out of 100,000", "13 layers of 5"],
)
def test_the_verdict_of_a_large_graph_takes_no_longer_than_a_look_at_each_task(
    make: Callable[[], list[TaskCall]], outcome: Outcome, message: str
) -> None:
    calls = make()
    began = time.thread_time()
    verdict = judge(calls, None)

    assert (verdict.outcome, verdict.message) == (outcome, message)
    assert time.thread_time() - began < 1.0


ENDS = [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.WORKER_LOST]


@st.composite
def ended_graphs(draw: st.DrawFn) -> list[TaskCall]:
    """Small graphs whose tasks ended as a run's would: what needs a task that did not succeed is skipped."""
    calls: list[TaskCall] = []
    for index in range(draw(st.integers(0, 8))):
        upstream = [made for made in calls if draw(st.booleans())]
        skipped = any(not made.outcome.ok for made in upstream)
        outcome = Outcome.SKIPPED if skipped else draw(st.sampled_from(ENDS))
        names = [made.task_id for made in upstream]
        calls.append(call(f"t{index}", outcome, *names, allow=draw(st.booleans())))
    return calls


def excused(bad: TaskCall, calls: list[TaskCall]) -> bool:
    """Say as docs/sdk.md does whether a bad end leaves the verdict alone: it, or all that skipped it, may."""
    if bad.options.allow_failure:
        return True
    causes = [made for made in calls if made.task_id in bad.upstream and not made.outcome.ok]
    return bad.outcome is Outcome.SKIPPED and all(excused(cause, calls) for cause in causes)


@given(ended_graphs())
def test_a_run_fails_if_and_only_if_a_bad_end_is_not_excused(calls: list[TaskCall]) -> None:
    counts = [made for made in calls if not made.outcome.ok and not excused(made, calls)]

    assert judge(calls, None).outcome is (Outcome.FAILED if counts else Outcome.SUCCEEDED)
