"""What a run does once its pipeline has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.planning.lives import (
    COLLECTOR,
    RUNNER,
    SEALER,
    WORKER,
    at,
    creations,
    deleted,
    deletions,
    over,
    released,
    running,
    sealed,
    sealing,
    up,
    with_spec,
    without,
)
from tests.planning.runs import (
    a_cluster,
    a_pod,
    condition,
    ended,
    planned,
    run_answer,
    seal_answer,
)

from vaportrail.contract import Outcome
from vaportrail.resources.status import ConditionType, Phase, Reason
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    Delete,
    DeleteRun,
    Kind,
    SecretState,
    Sweep,
    Swept,
)

# Releasing


def test_a_cancel_ends_the_runner_first() -> None:
    made = plan(with_spec(running(20), cancel=True))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.CANCELLED_BY_USER)
    assert deletions(made) == ["Pod/mnist-0123abcd-runner"]


def test_a_cancelled_runs_raycluster_goes_when_its_runner_has_ended() -> None:
    seen = with_spec(running(20), cancel=True)
    runner = replace(ended(up(RUNNER), run_answer(Outcome.CANCELLED)), phase="Running", drained_at=None)
    made = plan(planned(seen, plan(seen), pods=(*without(RUNNER), replace(runner, deleting=True))))
    assert deletions(made) == ["RayCluster/mnist-0123abcd"]


def test_a_runner_that_ended_by_itself_frees_the_raycluster_at_once_and_drains() -> None:
    runner = replace(ended(up(RUNNER), run_answer()), phase="Running", drained_at=None)
    made = plan(running(20, pods=(*without(RUNNER), runner)))
    assert deletions(made) == ["RayCluster/mnist-0123abcd"]


def test_the_collector_stays_until_every_shipper_has_drained() -> None:
    over = running(20, pods=(*without(RUNNER), ended(up(RUNNER), run_answer())))
    worker = up(WORKER, deleting=True)
    draining = planned(over, plan(over), pods=(worker, up(COLLECTOR)), ray_cluster=None)
    assert deletions(plan(draining)) == []
    drained = replace(draining, pods=(ended(worker), up(COLLECTOR)))
    expected = [
        "Pod/mnist-0123abcd-collector",
        "Service/mnist-0123abcd-collector",
        "Secret/mnist-0123abcd-tokens",
    ]
    assert deletions(plan(drained)) == expected


def test_a_release_that_takes_too_long_is_forced() -> None:
    over = running(20, pods=(*without(RUNNER), ended(up(RUNNER), run_answer())))
    stuck = planned(over, plan(over), now=at(20 + 301), pods=(up(WORKER, deleting=True), up(COLLECTOR)))
    forced = [each for each in plan(stuck).actions if isinstance(each, Delete) and each.kind is Kind.POD]
    assert [(each.name, each.grace_seconds) for each in forced] == [
        ("mnist-0123abcd-worker", 0),
        ("mnist-0123abcd-collector", 0),
    ]


def test_nothing_counts_as_released_before_a_live_look() -> None:
    made = plan(released(swept=None))
    assert made.status.phase is Phase.RELEASING
    assert made.actions == (Sweep(),)


def test_an_old_look_confirms_nothing() -> None:
    made = plan(released(swept=Swept(at(24), ())))
    assert made.status.phase is Phase.RELEASING


def test_what_a_look_finds_is_named_and_looked_for_again() -> None:
    made = plan(released(27, swept=Swept(at(26), ("Pod/late",))))
    assert made.status.leftovers == ["Pod/late"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).message == "still there: Pod/late"
    assert made.requeue_after == pytest.approx(1)


def test_a_secret_counts_as_gone_only_by_its_deletion() -> None:
    made = plan(released(secret=SecretState.UNKNOWN))
    assert deletions(made) == ["Secret/mnist-0123abcd-tokens"]
    assert made.requeue_after == pytest.approx(1)


# Sealing


def test_confirmed_release_makes_the_sealer_with_what_happened() -> None:
    made = plan(released())
    assert made.status.phase is Phase.SEALING
    assert creations(made) == ["mnist-0123abcd-sealer"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).status == "True"


def test_what_the_sealer_says_is_written_before_it_is_removed() -> None:
    sealer = ended(
        up(SEALER), seal_answer(Outcome.FAILED, loss="Counted", lost_spans=2, message="ValueError")
    )
    made = plan(sealing(pods=(sealer,)))
    record = made.status.record
    assert record is not None
    assert (record.state, record.manifest_sha256) == ("Sealed", "a" * 64)
    assert record.loss is not None
    assert (record.loss.state, record.loss.spans) == ("Counted", 2)
    assert (made.status.outcome, made.status.message) == ("FAILED", "ValueError")
    assert deletions(made) == ["Pod/mnist-0123abcd-sealer"]
    assert made.status.phase is Phase.SEALING


def test_a_sealer_that_is_gone_without_a_word_is_made_again() -> None:
    seen = sealing(pods=(up(SEALER),))
    assert creations(plan(planned(seen, plan(seen), pods=()))) == ["mnist-0123abcd-sealer"]


def test_an_evicted_sealer_makes_way_for_another() -> None:
    evicted = replace(up(SEALER), phase="Failed", reason="Evicted")
    assert deletions(plan(sealing(pods=(evicted,)))) == ["Pod/mnist-0123abcd-sealer"]


def test_a_run_is_over_when_its_record_is_sealed_and_nothing_is_left() -> None:
    made = plan(sealed(seal_answer(tasks={"SUCCEEDED": 3})))
    assert (made.status.phase, made.status.reason) == (Phase.SUCCEEDED, Reason.COMPLETED)
    assert made.status.message == "tasks: 3 SUCCEEDED"
    assert (made.status.completion_time, made.status.duration) == ("2026-01-02T03:04:52Z", "47s")
    ends = (
        ConditionType.RECORD_SEALED,
        ConditionType.NOTHING_LEFT_BEHIND,
        ConditionType.SUCCEEDED,
        ConditionType.FINISHED,
    )
    assert [condition(made, each).status for each in ends] == ["True"] * 4


def test_the_proof_names_the_sealer_and_the_last_look() -> None:
    proof = condition(plan(sealed(seal_answer())), ConditionType.NOTHING_LEFT_BEHIND).message
    assert proof == (
        "sealer pod made 2026-01-02T03:04:40Z, removed 2026-01-02T03:04:50Z; "
        "a live look at 2026-01-02T03:04:51Z found nothing"
    )


def test_a_sealed_run_is_not_over_before_a_live_look() -> None:
    made = plan(sealed(seal_answer(), swept=None))
    assert made.status.phase is Phase.SEALING
    assert made.actions == (Sweep(),)


@pytest.mark.parametrize(
    ("outcome", "phase", "reason"),
    [
        (Outcome.FAILED, Phase.FAILED, Reason.PIPELINE_FAILED),
        (Outcome.OOM_KILLED, Phase.FAILED, Reason.PIPELINE_FAILED),
        (Outcome.TIMED_OUT, Phase.FAILED, Reason.DEADLINE_EXCEEDED),
        (Outcome.RUNNER_LOST, Phase.FAILED, Reason.RUNNER_LOST),
        (Outcome.CANCELLED, Phase.FAILED, Reason.RUNNER_LOST),
    ],
)
def test_the_records_word_decides(outcome: Outcome, phase: Phase, reason: Reason) -> None:
    status = plan(sealed(seal_answer(outcome))).status
    assert (status.phase, status.reason, status.outcome) == (phase, reason, outcome.value)


def test_a_run_that_cannot_be_sealed_in_time_fails_and_keeps_its_outcome() -> None:
    waiting = up(SEALER, phase="Pending", waiting=("ImagePullBackOff", "no such image"))
    first = sealing(40 + 931, pods=(waiting,))
    made = plan(first)
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    assert "ImagePullBackOff: no such image" in made.status.message
    assert [each.grace_seconds for each in made.actions if isinstance(each, Delete)] == [0]
    gone = planned(first, made, now=at(1000), pods=())
    over = plan(planned(gone, plan(gone), now=at(1002), swept=Swept(at(1001), ())))
    assert (over.status.phase, over.status.reason) == (Phase.FAILED, Reason.SEAL_FAILED)
    assert over.status.outcome == "SUCCEEDED"
    assert condition(over, ConditionType.RECORD_SEALED).reason == "SealFailed"


# After the end


def test_a_run_that_is_over_is_deleted_when_its_time_to_live_is() -> None:
    assert plan(over(604800 + 46)).actions == ()
    assert plan(over(604800 + 47)).actions == (DeleteRun(),)


def test_what_turns_up_after_the_end_is_removed() -> None:
    made = plan(replace(over(60), pods=(a_pod(SEALER),), ray_cluster=a_cluster()))
    assert deletions(made) == ["RayCluster/mnist-0123abcd", "Pod/mnist-0123abcd-sealer"]


def test_conditions_follow_the_generation_after_the_end_too() -> None:
    made = plan(deleted(over(60), generation=7))
    assert {each.observed_generation for each in made.status.conditions} == {7}


def test_a_run_that_is_being_deleted_takes_its_sealer_along() -> None:
    made = plan(deleted(sealing(pods=(up(SEALER),)), deletion_timestamp=at(41)))
    assert deletions(made) == ["Pod/mnist-0123abcd-sealer"]
