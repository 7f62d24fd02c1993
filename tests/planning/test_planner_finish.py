"""What a run does once its pipeline has ended, until its compute is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.planning.phases import (
    COLLECTOR,
    RUNNER,
    SEALER,
    WORKER,
    at,
    creations,
    deletions,
    released,
    running,
    up,
    with_spec,
    without,
)
from tests.planning.runs import (
    a_cluster,
    a_pod,
    a_service,
    condition,
    planned,
    run_report,
    seal_report,
    terminated,
)

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import ConditionType, Phase, Reason
from vaportrail_operator.planning import times
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    Delete,
    Observed,
    ObservedPod,
    SecretState,
    Sweep,
    SweepResult,
)

# Releasing


def test_a_cancel_ends_the_runner_first() -> None:
    made = plan(with_spec(running(20), cancel=True))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.CANCELLED_BY_USER)
    assert deletions(made) == ["Pod/mnist-0123abcd-runner"]


def test_a_cancelled_runs_raycluster_goes_when_its_runner_has_ended() -> None:
    seen = with_spec(running(20), cancel=True)
    runner = replace(terminated(up(RUNNER), run_report(Outcome.CANCELLED)), phase="Running", drained_at=None)
    made = plan(planned(seen, plan(seen), pods=(*without(RUNNER), replace(runner, deleting=True))))
    assert deletions(made) == ["RayCluster/mnist-0123abcd"]


def test_a_runner_that_ended_by_itself_frees_the_raycluster_at_once_and_drains() -> None:
    runner = replace(terminated(up(RUNNER), run_report()), phase="Running", drained_at=None)
    made = plan(running(20, pods=(*without(RUNNER), runner)))
    assert deletions(made) == ["RayCluster/mnist-0123abcd"]


def test_the_collector_stays_until_every_shipper_has_drained() -> None:
    over = running(20, pods=(*without(RUNNER), terminated(up(RUNNER), run_report())))
    worker = up(WORKER, deleting=True)
    draining = planned(over, plan(over), pods=(worker, up(COLLECTOR)), ray_cluster=None)
    assert deletions(plan(draining)) == []
    drained = replace(draining, pods=(terminated(worker), up(COLLECTOR)))
    expected = [
        "Pod/mnist-0123abcd-collector",
        "Service/mnist-0123abcd-collector",
        "Secret/mnist-0123abcd-tokens",
    ]
    assert deletions(plan(drained)) == expected


def test_a_release_that_takes_too_long_is_forced() -> None:
    over = running(20, pods=(*without(RUNNER), terminated(up(RUNNER), run_report())))
    stuck = planned(over, plan(over), now=at(20 + 301), pods=(up(WORKER, deleting=True), up(COLLECTOR)))
    forced = [each for each in plan(stuck).actions if isinstance(each, Delete) and each.kind is Kind.POD]
    assert [(each.name, each.grace_seconds) for each in forced] == [
        ("mnist-0123abcd-worker", 0),
        ("mnist-0123abcd-collector", 0),
    ]


def test_what_was_asked_to_go_by_nobody_is_asked_first_however_late_its_operator_comes_back() -> None:
    seen = with_spec(running(20), cancel=True)
    back = planned(seen, plan(seen), now=at(20 + 301))
    asked = [each for each in plan(back).actions if isinstance(each, Delete) and each.kind is Kind.POD]
    # KubeRay may be as late.
    assert [(each.name.removeprefix("mnist-0123abcd-"), each.grace_seconds) for each in asked] == [
        ("runner", None),
        ("head", None),
        ("worker", None),
    ]


def test_what_was_asked_late_keeps_its_time_and_the_collector_that_hears_it() -> None:
    seen = with_spec(running(20), cancel=True)
    going = tuple(replace(pod, deleting=True, due=at(400)) for pod in without(COLLECTOR))
    back = planned(seen, plan(seen), now=at(20 + 301), pods=(*going, up(COLLECTOR)))
    assert not [name for name in deletions(plan(back)) if name.startswith(("Pod/", "Secret/"))]
    assert plan(back).requeue_after is not None
    forced = plan(replace(back, now=at(401)))
    without_grace = [
        each.name for each in forced.actions if isinstance(each, Delete) and each.grace_seconds == 0
    ]
    assert {name.removeprefix("mnist-0123abcd-") for name in without_grace} == {
        "runner",
        "head",
        "worker",
        "collector",
    }


def test_what_cannot_be_asked_to_go_keeps_no_run_for_ever() -> None:
    seen = with_spec(running(20), cancel=True)
    first = planned(seen, plan(seen), now=at(20 + 301))
    assert plan(planned(first, plan(first), now=at(20 + 603))).status.phase is Phase.SEALING


def test_a_runner_whose_node_does_not_answer_keeps_no_cluster() -> None:
    seen = with_spec(running(20), cancel=True)
    runner = up(RUNNER, deleting=True, due=at(90))
    waits = planned(seen, plan(seen), now=at(119), pods=(*without(RUNNER), runner))
    assert (deletions(plan(waits)), plan(waits).requeue_after) == ([], pytest.approx(1))
    assert deletions(plan(replace(waits, now=at(121)))) == [
        "Pod/mnist-0123abcd-runner",
        "RayCluster/mnist-0123abcd",
    ]


def draining(**seen: Any) -> Observed:
    """Return a run in `Releasing` of which a worker has yet to ship."""
    over = running(20, pods=(*without(RUNNER), terminated(up(RUNNER), run_report())))
    known = {"pods": (up(WORKER, deleting=True, due=at(90)), up(COLLECTOR)), "ray_cluster": None}
    return planned(over, plan(over), now=at(21), **{**known, **seen})


def test_a_collector_that_is_lost_while_others_ship_is_made_again() -> None:
    worker = up(WORKER, deleting=True, due=at(90))
    assert creations(plan(draining(pods=(worker,)))) == ["mnist-0123abcd-collector"]
    evicted = up(COLLECTOR, phase="Failed", reason="Evicted")
    assert deletions(plan(draining(pods=(worker, evicted)))) == ["Pod/mnist-0123abcd-collector"]


@pytest.mark.parametrize(
    "pods",
    [
        (terminated(up(WORKER), ""),),
        (a_pod(WORKER, deleting=True, due=at(90)),),
        (),
    ],
    ids=["drained", "never started", "none"],
)
def test_a_collector_that_nobody_needs_is_not_made_again(pods: tuple[ObservedPod, ...]) -> None:
    assert creations(plan(draining(pods=pods))) == []


def test_a_collector_is_not_made_again_once_its_token_is_gone() -> None:
    worker = up(WORKER, deleting=True, due=at(90))
    assert creations(plan(draining(pods=(worker,), secret=SecretState.GONE))) == []


def test_what_goes_unheard_is_looked_for_live_after_a_while() -> None:
    going = draining(pods=(), ray_cluster=a_cluster(deleting=True), services=(), secret=SecretState.GONE)
    early = plan(replace(going, now=at(29)))
    assert Sweep() not in early.actions
    late = replace(going, now=at(31))
    assert Sweep() in plan(late).actions
    looked = replace(late, sweep_result=SweepResult(at(30), ("RayCluster/mnist-0123abcd",)))
    assert Sweep() not in plan(looked).actions


def held(seconds: float, **seen: Any) -> Observed:
    """Return a run in `Releasing` of which somebody's finalizer keeps a worker, so many seconds after."""
    worker = replace(terminated(up(WORKER), ""), deleting=True, due=at(90))
    known = {"pods": (worker,), "services": (), "secret": SecretState.GONE}
    first = draining(**known)
    forced = planned(first, plan(first), now=at(321))
    return planned(forced, plan(forced), now=at(seconds), **seen)


def test_what_is_left_when_the_release_is_forced_is_named() -> None:
    made = plan(held(330))
    assert made.status.phase is Phase.RELEASING
    assert made.status.leftovers == ["Pod/mnist-0123abcd-worker"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).message == "still there: Pod/mnist-0123abcd-worker"
    assert made.requeue_after == pytest.approx(10)


def test_a_run_goes_on_without_what_cannot_be_removed_and_says_so() -> None:
    assert plan(held(620)).status.phase is Phase.RELEASING
    seen = held(622)
    made = plan(seen)
    assert (made.status.phase, made.status.leftovers) == (Phase.SEALING, ["Pod/mnist-0123abcd-worker"])
    assert creations(made) == ["mnist-0123abcd-sealer"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).status == "False"
    assert ("Warning", "ComputeLeft") in {(note.type, note.reason) for note in made.events}


def test_a_run_that_leaves_something_behind_ends_and_names_it() -> None:
    first = held(622)
    sealer = terminated(up(SEALER, created_at=at(622), started_at=at(623)), seal_report())
    second = planned(first, plan(first), now=at(634), pods=(*first.pods, sealer))
    third = planned(second, plan(second), now=at(635), pods=first.pods)
    left = ("Pod/mnist-0123abcd-worker",)
    made = plan(planned(third, plan(third), now=at(637), sweep_result=SweepResult(at(636), left)))
    assert (made.status.phase, made.status.leftovers) == (Phase.SUCCEEDED, list(left))
    verdict = condition(made, ConditionType.NOTHING_LEFT_BEHIND)
    assert (verdict.status, verdict.message) == ("False", "still there: Pod/mnist-0123abcd-worker")
    gone = plan(planned(third, plan(third), now=at(637), pods=(), sweep_result=SweepResult(at(637), ())))
    assert condition(gone, ConditionType.NOTHING_LEFT_BEHIND).status == "True"
    assert condition(gone, ConditionType.COMPUTE_RELEASED).status == "True"


def test_an_operator_that_was_away_for_long_tries_the_release_before_it_gives_up() -> None:
    back = replace(draining(), now=at(100_000))
    made = plan(back)
    assert made.status.phase is Phase.RELEASING
    assert "Pod/mnist-0123abcd-worker" in deletions(made)


def test_a_service_that_kuberay_made_is_waited_for() -> None:
    kuberays = a_service(name="mnist-0123abcd-head-svc")
    assert plan(released(services=(kuberays,))).status.phase is Phase.RELEASING


def closed(seen: Observed, removed: datetime) -> Observed:
    """Return what is seen, of a run whose status has when the last of it went."""
    receipt = [
        each.model_copy(update={"lifetime": each.lifetime.replace("..", times.stamp(removed))})
        for each in seen.run.status.receipt
    ]
    status = seen.run.status.model_copy(update={"receipt": receipt})
    return replace(seen, run=seen.run.model_copy(update={"status": status}))


def test_a_time_of_a_clock_that_is_ahead_is_waited_for_without_looking_all_the_time() -> None:
    seen = closed(released(20, sweep_result=SweepResult(at(19), ())), at(25))
    made = plan(seen)
    assert (made.actions, made.requeue_after) == ((), pytest.approx(2))
    assert plan(replace(seen, now=at(24.5))).requeue_after == pytest.approx(0.5)
    assert plan(replace(seen, now=at(25))).actions == (Sweep(),)


def test_nothing_counts_as_released_before_a_live_look() -> None:
    made = plan(released(sweep_result=None))
    assert made.status.phase is Phase.RELEASING
    assert made.actions == (Sweep(),)


def test_an_old_look_confirms_nothing() -> None:
    made = plan(closed(released(sweep_result=SweepResult(at(24), ())), at(25)))
    assert made.status.phase is Phase.RELEASING


def test_when_the_last_went_is_written_with_the_look_that_confirms_it() -> None:
    first = released(sweep_result=None)
    made = plan(first)
    assert (made.status, made.actions) == (first.run.status, (Sweep(),))
    looked = plan(replace(first, now=at(31), sweep_result=SweepResult(at(30), ())))
    assert looked.status.phase is Phase.SEALING
    assert {each.lifetime.partition("/")[2] for each in looked.status.receipt} == {times.stamp(at(30))}


def test_what_a_look_finds_is_named_and_looked_for_again() -> None:
    made = plan(released(27, sweep_result=SweepResult(at(26), ("Pod/late",))))
    assert made.status.leftovers == ["Pod/late"]
    assert condition(made, ConditionType.COMPUTE_RELEASED).message == "still there: Pod/late"
    assert made.requeue_after == pytest.approx(1)


def test_a_secret_counts_as_gone_only_by_its_deletion() -> None:
    made = plan(released(secret=SecretState.UNKNOWN))
    assert deletions(made) == ["Secret/mnist-0123abcd-tokens"]
    assert made.requeue_after == pytest.approx(1)
