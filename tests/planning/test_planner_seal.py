"""What a run does once its compute is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.planning.phases import (
    SEALER,
    WORKER,
    at,
    creations,
    deleted,
    deletions,
    over,
    released,
    sealed,
    sealing,
    up,
)
from tests.planning.runs import (
    a_cluster,
    a_pod,
    condition,
    plan_report,
    planned,
    prepared,
    refusal,
    seal_report,
    terminated,
)

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import CONTRACT_VERSION
from vaportrail.crd.status import ConditionType, Loss, Phase, Reason
from vaportrail_operator.acting.status_writer import status_body
from vaportrail_operator.planning import times
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    Create,
    Delete,
    DeleteRun,
    Sweep,
    SweepResult,
)


def test_confirmed_release_makes_the_sealer_with_what_happened() -> None:
    made = plan(released())
    assert made.status.phase is Phase.SEALING
    assert creations(made) == ["mnist-0123abcd-sealer"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).status == "True"


def test_no_count_is_written_of_what_nobody_counts() -> None:
    sealer = terminated(up(SEALER), seal_report(Outcome.FAILED, loss="Counted", lost_logs=2))
    made = plan(sealing(pods=(sealer,)))

    written = status_body(made.status)["record"]["loss"]
    assert written == {"state": "Counted", "spans": 0, "logRecords": 2}


def test_a_status_of_before_keeps_the_count_that_it_has() -> None:
    loss = Loss.model_validate({"state": "None", "spans": 0, "logRecords": 0, "values": 0})

    assert loss.values == 0


def test_what_the_sealer_says_is_written_before_it_is_removed() -> None:
    sealer = terminated(
        up(SEALER), seal_report(Outcome.FAILED, loss="Counted", lost_spans=2, message="ValueError")
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


@pytest.mark.parametrize("seconds", [450, 900])
def test_a_sealer_of_which_nothing_is_heard_is_looked_for_before_its_time_ends_the_seal(seconds: int) -> None:
    seen = sealing(pods=(up(SEALER),))
    before = SweepResult(at(30 + seconds - 2), ())
    begun = planned(seen, plan(seen), now=at(30 + seconds - 1), sweep_result=before)
    assert (plan(begun).actions, plan(begun).requeue_after) == ((), pytest.approx(1))
    late = replace(begun, now=at(30 + seconds))
    assert plan(late).actions == (Sweep(),)
    looked = replace(late, sweep_result=SweepResult(at(30 + seconds), ()))
    assert plan(looked).actions == ()
    assert creations(plan(replace(looked, pods=()))) == ["mnist-0123abcd-sealer"]


def test_a_look_for_a_sealer_comes_beside_the_removal_of_what_turned_up() -> None:
    seen = sealing(pods=(up(SEALER),))
    late = planned(seen, plan(seen), now=at(30 + 450), pods=(up(SEALER), up(WORKER)))
    assert Sweep() in plan(late).actions
    assert deletions(plan(late)) == ["Pod/mnist-0123abcd-worker"]


def test_an_evicted_sealer_makes_way_for_another() -> None:
    evicted = replace(up(SEALER), phase="Failed", reason="Evicted")
    assert deletions(plan(sealing(pods=(evicted,)))) == ["Pod/mnist-0123abcd-sealer"]


def test_a_sealer_whose_node_does_not_answer_makes_way_for_another() -> None:
    silent = up(SEALER, deleting=True, due=at(100))
    early = plan(sealing(129, pods=(silent,)))
    assert (early.actions, early.requeue_after) == ((), pytest.approx(1))
    made = plan(sealing(131, pods=(silent,)))
    assert made.actions == (Delete(Kind.POD, silent.name, silent.uid, grace_seconds=0),)


def test_a_run_is_over_when_its_record_is_sealed_and_nothing_is_left() -> None:
    made = plan(sealed(seal_report(tasks={"SUCCEEDED": 3})))
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
    proof = condition(plan(sealed(seal_report())), ConditionType.NOTHING_LEFT_BEHIND).message
    assert proof == (
        "sealer pod made 2026-01-02T03:04:40Z, removed 2026-01-02T03:04:51Z; "
        "a live look at 2026-01-02T03:04:51Z found nothing"
    )


def test_a_sealed_run_is_not_over_before_a_live_look() -> None:
    made = plan(sealed(seal_report(), sweep_result=None))
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
    status = plan(sealed(seal_report(outcome))).status
    assert (status.phase, status.reason, status.outcome) == (phase, reason, outcome.value)


def test_why_the_sealer_cannot_seal_is_told_beside_the_runs_cause() -> None:
    looping = up(
        SEALER, waiting=("CrashLoopBackOff", "back-off 10s"), termination_message="AccessDenied: no keys"
    )
    first = sealing(pods=(looping,))
    made = plan(first)
    assert made.status.message == "sealer: AccessDenied: no keys"
    assert plan(planned(first, made)).status == planned(first, made).run.status
    again = plan(planned(first, made, pods=(up(SEALER, termination_message="RecordError: another"),)))
    assert again.status.message == "sealer: RecordError: another"
    assert plan(planned(first, again, pods=(up(SEALER),))).status.message == ""


def test_a_cause_outlives_what_the_sealer_says() -> None:
    first = sealing(pods=(up(SEALER, waiting=("ErrImagePull", "no such image")),))
    status = first.run.status.model_copy(
        update={"reason": Reason.DEADLINE_EXCEEDED, "message": "it ran longer than runSeconds: 1"}
    )
    caused = replace(first, run=first.run.model_copy(update={"status": status}))
    made = plan(caused)
    assert made.status.message == (
        "it ran longer than runSeconds: 1; sealer: ErrImagePull: no such image; fix: does the image exist, "
        "and may its node pull it (imagePullSecrets)?"
    )
    evicted = planned(caused, made, pods=())
    (create,) = (each for each in plan(evicted).actions if isinstance(each, Create))
    assert "it ran longer than runSeconds: 1" in str(create.manifest)
    assert "ErrImagePull" not in str(create.manifest)
    done = planned(caused, made, pods=(terminated(up(SEALER), seal_report(Outcome.TIMED_OUT)),))
    assert plan(done).status.message == "it ran longer than runSeconds: 1"


def test_a_refused_sealer_is_told_at_once_and_in_the_end() -> None:
    first = sealing(refused=refusal(what="sealer pod"))
    made = plan(first)
    assert made.status.message.startswith("sealer: cannot be made: exceeded quota: team")
    late = plan(planned(first, made, now=at(40 + 931)))
    assert late.status.message.startswith(
        "the record is not sealed: it was not done within sealSeconds: 900: cannot be made: exceeded quota"
    )


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ('violates PodSecurity "restricted:latest": hostPath', 0),
        ('error looking up service account ml/sealer: serviceaccount "sealer" not found', 120),
    ],
)
def test_a_sealer_that_can_never_be_made_is_not_waited_for(words: str, seconds: int) -> None:
    first = sealing(refused=refusal(words, what="sealer pod", seconds=41))
    early = plan(replace(first, now=at(41 + seconds - 1)))
    assert early.status.record is not None
    assert early.status.record.state == "Open"
    late = plan(replace(first, now=at(41 + seconds)))
    assert late.status.record is not None
    assert late.status.record.state == "Unsealed"
    assert f"there can be no sealer: cannot be made: {words[:30]}" in late.status.message
    if seconds:
        assert early.requeue_after == pytest.approx(1)


def test_a_sealer_whose_image_is_no_name_is_not_waited_for() -> None:
    pod = up(SEALER, started_at=None, waiting=("InvalidImageName", 'couldn\'t parse image name "A B"'))
    status = plan(sealing(pods=(pod,))).status
    assert status.record is not None
    assert status.record.state == "Unsealed"
    assert "there can be no sealer: InvalidImageName" in status.message


def test_a_sealer_that_its_node_cannot_set_up_says_so() -> None:
    pod = a_pod(SEALER, scheduled_at=at(40), not_set_up_since=at(40))
    assert plan(sealing(99, pods=(pod,))).status.message == ""
    assert plan(sealing(99, pods=(pod,))).requeue_after == pytest.approx(1)
    assert plan(sealing(100, pods=(pod,))).status.message.startswith("sealer: ContainerCreating for 60 s")


def test_a_refusal_from_before_the_seal_is_none_of_the_sealers() -> None:
    assert plan(released(refused=refusal())).status.message == ""


def test_a_sealer_that_another_try_does_not_help_ends_the_run_at_once() -> None:
    refused = replace(
        terminated(up(SEALER), "not a request", exit_code=2),
        phase="Running",
        termination_message="not a request",
    )
    made = plan(sealing(pods=(refused,)))
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    assert made.status.message == (
        "the record is not sealed: the sealer refuses it: not a request; "
        "its parts are kept, and `vaportrail seal` can seal them"
    )
    assert deletions(made) == ["Pod/mnist-0123abcd-sealer"]


def test_an_answer_of_a_release_that_is_not_read_is_no_seal_and_says_so() -> None:
    made = plan(sealed(seal_report(contract_version=CONTRACT_VERSION + 1)))
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    assert "the sealer's answer cannot be read: it is of contract version" in made.status.message


@pytest.mark.parametrize("restarting", [False, True], ids=["ended", "begun again"])
def test_a_plan_that_is_refused_ends_the_run_at_once_and_says_what_stands_there(restarting: bool) -> None:
    said = "something else stands at manifest.json: its image is 'a', not 'b'; nothing was overwritten"
    refused = prepared(up(SEALER, phase="Pending"), said, exit_code=2)
    if restarting:
        refused = replace(refused, waiting=("CrashLoopBackOff", "back-off 10s"))
    made = plan(sealing(pods=(refused,)))
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    assert made.status.message.startswith(
        "the record is not sealed: the sealer refuses it: something else stands at manifest.json: its image"
    )
    assert deletions(made) == ["Pod/mnist-0123abcd-sealer"]


def test_a_run_beside_whose_record_something_else_stands_ends_as_seal_failed() -> None:
    said = "something else stands at manifest.json: its image is 'a', not 'b'; nothing was overwritten"
    first = sealing(pods=(prepared(up(SEALER, phase="Pending", created_at=at(35)), said, exit_code=2),))
    gone = planned(first, plan(first), now=at(45), pods=())
    over = plan(planned(gone, plan(gone), now=at(47), sweep_result=SweepResult(at(46), ())))
    assert (over.status.phase, over.status.reason) == (Phase.FAILED, Reason.SEAL_FAILED)
    assert "something else stands at manifest.json" in over.status.message
    assert condition(over, ConditionType.RECORD_SEALED).reason == "SealFailed"


def test_what_keeps_the_plan_from_being_fixed_is_told() -> None:
    failing = prepared(up(SEALER, phase="Pending"), "AccessDenied: no keys", exit_code=1)
    assert plan(sealing(pods=(failing,))).status.message == "sealer: AccessDenied: no keys"


def test_the_hash_of_the_plan_is_kept_as_soon_as_it_is_told() -> None:
    made = plan(sealing(pods=(prepared(up(SEALER), plan_report("b" * 64)),)))
    assert made.status.record is not None
    assert (made.status.record.state, made.status.record.plan_sha256) == ("Open", "b" * 64)


def test_a_sealer_that_comes_later_is_held_to_the_plan_that_was_told() -> None:
    first = sealing(pods=(prepared(up(SEALER), plan_report("b" * 64)),))
    (create,) = plan(planned(first, plan(first), pods=())).actions
    assert isinstance(create, Create)
    assert f'"plan_sha256":"{"b" * 64}"' in str(create.manifest)


@pytest.mark.parametrize("said", ["c" * 64, ""], ids=["carried out", "found the record"])
def test_a_sealed_run_keeps_the_hash_of_the_plan_and_of_the_manifest(said: str) -> None:
    first = sealing(pods=(prepared(up(SEALER), plan_report("b" * 64)),))
    done = terminated(up(SEALER), seal_report(plan_sha256=said))
    made = plan(planned(first, plan(first), pods=(done,)))
    assert made.status.record is not None
    assert (made.status.record.manifest_sha256, made.status.record.plan_sha256) == (
        "a" * 64,
        said or "b" * 64,
    )


@pytest.mark.parametrize(
    ("late", "words"), [(1, "1 file arrived"), (3, "3 files arrived"), (10**6, "1000000 files arrived")]
)
def test_what_arrived_too_late_for_the_record_is_told(late: int, words: str) -> None:
    report = seal_report(late_parts=late, message="word " * 200)
    message = plan(sealing(pods=(terminated(up(SEALER), report),))).status.message
    assert len(message) <= 256
    assert message.endswith(f"{words} after the seal was planned: not in the record, kept below spool/")


def test_how_to_seal_by_hand_is_told_however_much_the_sealer_says() -> None:
    late = up(SEALER, phase="Failed", reason="DeadlineExceeded", termination_message="word " * 800)
    message = plan(sealing(pods=(late,))).status.message
    assert message.endswith("`vaportrail seal` can seal them")
    assert len(message) <= 256


def test_a_sealer_that_cannot_be_removed_ends_the_run_in_the_end_and_is_named() -> None:
    first = sealing(pods=(terminated(up(SEALER, created_at=at(35)), seal_report()),))
    stuck = replace(first.pods[0], deleting=True, due=at(45))
    second = planned(first, plan(first), now=at(400), pods=(stuck,))
    third = planned(second, plan(second), now=at(699))
    assert plan(third).status.phase is Phase.SEALING
    fourth = planned(
        third, plan(third), now=at(702), sweep_result=SweepResult(at(701), (f"Pod/{stuck.name}",))
    )
    made = plan(fourth)
    assert (made.status.phase, made.status.leftovers) == (Phase.SUCCEEDED, [f"Pod/{stuck.name}"])
    assert condition(made, ConditionType.COMPUTE_RELEASED).status == "True"


def test_a_run_that_cannot_be_sealed_in_time_fails_and_keeps_its_outcome() -> None:
    waiting = up(SEALER, phase="Pending", waiting=("ImagePullBackOff", "no such image"))
    first = sealing(40 + 931, pods=(waiting,))
    made = plan(first)
    assert made.status.record is not None
    assert made.status.record.state == "Unsealed"
    assert "ImagePullBackOff: no such image" in made.status.message
    assert [each.grace_seconds for each in made.actions if isinstance(each, Delete)] == [0]
    gone = planned(first, made, now=at(1000), pods=())
    over = plan(planned(gone, plan(gone), now=at(1002), sweep_result=SweepResult(at(1001), ())))
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


def test_a_run_that_is_being_deleted_leaves_its_sealer_at_work() -> None:
    seen = deleted(sealing(pods=(up(SEALER),)), deletion_timestamp=at(41))
    assert plan(seen).actions == ()
    failing = replace(terminated(up(SEALER), exit_code=1), phase="Running")
    assert plan(replace(seen, pods=(failing,))).actions == ()


def test_a_run_that_is_being_deleted_takes_a_sealer_along_that_has_ended() -> None:
    seen = deleted(sealing(pods=(terminated(up(SEALER), seal_report()),)), deletion_timestamp=at(41))
    assert deletions(plan(seen)) == ["Pod/mnist-0123abcd-sealer"]


def test_a_sealer_whose_node_is_ahead_by_a_year_keeps_no_run_from_its_end() -> None:
    ended = terminated(up(SEALER, created_at=at(35)), seal_report())
    assert ended.terminated is not None
    ahead = replace(ended.terminated, finished_at=at(41) + timedelta(days=365))
    seen = sealing(pods=(replace(ended, terminated=ahead),))
    assert plan(seen).status.timeline["Seal"].rpartition("/")[2] == times.stamp(seen.now)
