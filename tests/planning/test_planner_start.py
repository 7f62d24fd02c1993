"""What a run does until its pipeline has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.planning.phases import (
    COLLECTOR,
    HEAD,
    RUNNER,
    WORKER,
    at,
    creations,
    deletions,
    provisioning,
    running,
    sealed,
    up,
    without,
)
from tests.planning.runs import (
    CREATED,
    a_cluster,
    a_pod,
    a_run,
    a_service,
    condition,
    observed,
    planned,
    refusal,
    run_report,
    seal_report,
    terminated,
)

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import CONTRACT_VERSION
from vaportrail.crd.status import ConditionType, Phase, Reason
from vaportrail_operator.planning import times
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import (
    Delete,
    SecretState,
    Sweep,
    SweepResult,
)

# Pending


def test_a_valid_run_is_provisioned_at_once() -> None:
    made = plan(observed())
    assert made.status.phase is Phase.PROVISIONING
    base = "mnist-0123abcd"
    # What is dear comes last: nothing follows on what is refused.
    names = [f"{base}-collector", f"{base}-tokens", f"{base}-collector", f"{base}-runner", base]
    assert creations(made) == names


def test_the_place_of_the_record_is_written_before_anything_is_made() -> None:
    made = plan(observed())
    assert made.status.record is not None
    assert made.status.record.uri == "s3://runs/ml/runs/mnist/20260102T030405Z-0123abcd"
    assert made.status.start_time == "2026-01-02T03:04:06Z"


def test_an_invalid_run_fails_with_all_its_problems_and_makes_nothing() -> None:
    spec = {"parameters": {"not a name": 1}, "ray": {"workers": [{"name": "a"}, {"name": "a"}]}}
    made = plan(observed(a_run(spec)))
    assert (made.status.phase, made.status.reason) == (Phase.FAILED, Reason.INVALID_SPEC)
    assert "not a name" in made.status.message
    assert "ray.workers[1].name" in made.status.message
    assert made.actions == ()


def test_a_run_for_which_nothing_was_made_says_that_it_has_no_record() -> None:
    made = plan(observed(a_run({"parameters": {"not a name": 1}})))
    assert made.status.record is None
    assert condition(made, ConditionType.RECORD_SEALED).reason == "NothingRan"
    assert condition(made, ConditionType.COMPUTE_RELEASED).status == "True"
    assert condition(made, ConditionType.NOTHING_LEFT_BEHIND).status == "True"


def test_a_run_that_is_cancelled_while_pending_makes_nothing() -> None:
    made = plan(observed(a_run({"cancel": True})))
    assert (made.status.phase, made.status.reason) == (Phase.CANCELLED, Reason.CANCELLED_BY_USER)
    assert made.actions == ()


def test_a_suspended_run_waits() -> None:
    made = plan(observed(a_run({"suspend": True})))
    assert (made.status.phase, made.status.reason, made.actions) == (Phase.PENDING, Reason.SUSPENDED, ())


def test_a_run_waits_for_kuberay_and_says_so() -> None:
    made = plan(observed(kuberay=False))
    assert (made.status.phase, made.status.reason) == (Phase.PENDING, Reason.KUBERAY_MISSING)
    assert condition(made, ConditionType.PREFLIGHT_PASSED).status == "False"
    assert made.requeue_after == 30


# Provisioning


def test_what_is_there_is_not_made_again() -> None:
    pods = (a_pod(COLLECTOR), a_pod(RUNNER))
    seen = provisioning(pods=pods, services=(a_service(),), ray_cluster=a_cluster())
    assert creations(plan(seen)) == []


def test_why_a_pod_waits_is_said_in_status_and_condition() -> None:
    head = a_pod(HEAD, waiting=("ImagePullBackOff", "no such image"))
    made = plan(provisioning(pods=(head, a_pod(RUNNER), a_pod(COLLECTOR)), ray_cluster=a_cluster()))
    assert made.status.reason is Reason.POD_WAITING
    assert made.status.message == (
        "head pod: ImagePullBackOff: no such image; fix: does the image exist, and may its node pull it "
        "(imagePullSecrets)?"
    )
    assert condition(made, ConditionType.CLUSTER_READY).message == made.status.message


def test_what_kuberay_complains_of_is_said() -> None:
    made = plan(provisioning(ray_cluster=a_cluster(problem="head pod cannot be made: exceeded quota: team")))
    assert made.status.message == f"head pod cannot be made: exceeded quota: team{QUOTA}"


def test_a_run_that_is_not_provisioned_in_time_fails_with_the_reason() -> None:
    head = a_pod(HEAD, waiting=("Unschedulable", "no node"))
    seen = provisioning(1802, pods=(head, a_pod(RUNNER)), ray_cluster=a_cluster())
    made = plan(seen)
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert made.status.message.startswith("head pod: Unschedulable: no node")


def test_the_next_look_is_at_the_deadline() -> None:
    assert plan(provisioning(5)).requeue_after == pytest.approx(1796)


def test_pods_that_only_get_on_cost_no_write() -> None:
    first = provisioning(pods=(a_pod(HEAD), a_pod(WORKER), a_pod(RUNNER)), ray_cluster=a_cluster())
    second = planned(first, plan(first), pods=(a_pod(HEAD, scheduled_at=at(4)), a_pod(WORKER), a_pod(RUNNER)))
    assert plan(second).status == second.run.status


# Running


def test_a_run_runs_as_soon_as_its_runner_is_ready() -> None:
    status = running().run.status
    assert status.reason is Reason.RUNNING_PIPELINE
    assert status.user_code_start_time == "2026-01-02T03:04:13Z"


def test_a_lost_collector_is_made_again_while_the_run_goes_on() -> None:
    made = plan(running(pods=without(COLLECTOR)))
    assert creations(made) == ["mnist-0123abcd-collector"]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.SUCCEEDED, Reason.RELEASING_COMPUTE),
        (Outcome.FAILED, Reason.RELEASING_COMPUTE),
        (Outcome.TIMED_OUT, Reason.DEADLINE_EXCEEDED),
        (Outcome.CANCELLED, Reason.RUNNER_LOST),
    ],
)
def test_the_runners_end_begins_the_release(outcome: Outcome, reason: Reason) -> None:
    answer = run_report(outcome, message="so it was", user_code_started="2026-01-02T03:04:13Z")
    runner = terminated(up(RUNNER), answer)
    made = plan(running(20, pods=(*without(RUNNER), runner)))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, reason)
    assert made.status.outcome == outcome.value


def test_a_runner_that_ends_without_a_word_is_lost() -> None:
    runner = terminated(up(RUNNER), exit_code=137, reason="OOMKilled")
    made = plan(running(20, pods=(*without(RUNNER), runner)))
    assert made.status.reason is Reason.RUNNER_LOST
    assert made.status.message == "runner pod: OOMKilled, exit code 137, no answer"


def test_a_runner_of_a_release_that_is_not_read_is_lost_and_says_so() -> None:
    answer = run_report(Outcome.SUCCEEDED, contract_version=CONTRACT_VERSION + 1)
    made = plan(running(20, pods=(*without(RUNNER), terminated(up(RUNNER), answer))))
    assert made.status.reason is Reason.RUNNER_LOST
    assert made.status.message.startswith("runner pod: its answer cannot be read: it is of contract version ")


def test_why_the_kubelet_ended_a_runner_comes_first() -> None:
    runner = replace(
        terminated(up(RUNNER), exit_code=137, reason="Error"), reason="Evicted", message="low on memory"
    )
    made = plan(running(20, pods=(*without(RUNNER), runner)))
    assert made.status.message == "runner pod: Evicted: low on memory; Error, exit code 137, no answer"


def test_what_fails_before_the_pipelines_first_line_is_not_the_pipelines_failure() -> None:
    said = run_report(Outcome.FAILED, message="the archive has another sha256")
    made = plan(provisioning(20, pods=(up(COLLECTOR), terminated(up(RUNNER), said)), ray_cluster=a_cluster()))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert (made.status.outcome, made.status.message) == ("FAILED", "the archive has another sha256")


def test_a_runner_whose_node_does_not_answer_is_lost_half_a_minute_after_its_time() -> None:
    silent = up(RUNNER, deleting=True, due=at(100))
    early = plan(running(129, pods=(*without(RUNNER), silent)))
    assert (early.status.phase, early.requeue_after) == (Phase.RUNNING, pytest.approx(1))
    made = plan(running(131, pods=(*without(RUNNER), silent)))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.RUNNER_LOST)
    assert made.status.message == "runner pod: its node does not answer"
    assert deletions(made) == ["Pod/mnist-0123abcd-runner", "RayCluster/mnist-0123abcd"]


def test_a_runner_that_drains_late_is_not_lost() -> None:
    late = replace(terminated(up(RUNNER), run_report()), deleting=True, due=at(10))
    assert plan(running(60, pods=(*without(RUNNER), late))).status.reason is Reason.RELEASING_COMPUTE


def test_a_runner_that_is_not_seen_any_more_is_looked_for_first() -> None:
    made = plan(running(20, pods=without(RUNNER)))
    assert made.status.phase is Phase.RUNNING
    assert Sweep() in made.actions


def test_a_runner_that_a_live_look_does_not_find_is_lost() -> None:
    missing = running(20, pods=without(RUNNER))
    made = plan(
        planned(missing, plan(missing), sweep_result=SweepResult(at(21), ("RayCluster/mnist-0123abcd",)))
    )
    assert made.status.reason is Reason.RUNNER_LOST
    assert "Pod/mnist-0123abcd-runner" not in deletions(made)


def test_a_runner_that_a_live_look_finds_is_not_lost() -> None:
    missing = running(20, pods=without(RUNNER))
    made = plan(
        planned(missing, plan(missing), sweep_result=SweepResult(at(21), ("Pod/mnist-0123abcd-runner",)))
    )
    assert made.status.phase is Phase.RUNNING


def test_a_raycluster_that_somebody_deletes_ends_the_run() -> None:
    made = plan(running(20, ray_cluster=a_cluster(deleting=True)))
    assert made.status.reason is Reason.RAY_CLUSTER_LOST


def test_a_head_that_ended_ends_the_run() -> None:
    head = terminated(up(HEAD), exit_code=137, reason="OOMKilled")
    made = plan(running(20, pods=(*without(HEAD), head)))
    assert made.status.reason is Reason.RAY_CLUSTER_LOST
    assert made.status.message == "the Ray head ended: OOMKilled, exit code 137"


def test_a_head_whose_node_does_not_answer_ends_the_run() -> None:
    head = up(HEAD, deleting=True, due=at(100))
    assert plan(running(129, pods=(*without(HEAD), head))).status.phase is Phase.RUNNING
    made = plan(running(131, pods=(*without(HEAD), head)))
    assert made.status.reason is Reason.RAY_CLUSTER_LOST
    assert made.status.message == "the Ray head does not answer, nor does its node"


def test_a_head_that_a_live_look_does_not_find_ends_the_run() -> None:
    missing = running(20, pods=without(HEAD))
    made = plan(missing)
    assert made.status.phase is Phase.RUNNING
    assert Sweep() in made.actions
    there = ("Pod/mnist-0123abcd-head-x1y2z", "RayCluster/mnist-0123abcd")
    assert plan(planned(missing, made, sweep_result=SweepResult(at(21), there))).status.phase is Phase.RUNNING
    other = ("Pod/mnist-0123abcd-head-worker-x1y2z", "RayCluster/mnist-0123abcd")
    lost = plan(planned(missing, made, sweep_result=SweepResult(at(21), other)))
    assert (lost.status.reason, lost.status.message) == (Reason.RAY_CLUSTER_LOST, "the Ray head is gone")


@pytest.mark.parametrize(("provisioned", "phase"), [(True, Phase.RELEASING), (False, Phase.PROVISIONING)])
def test_a_head_that_ends_before_the_runner_is_ready_ends_the_run_if_kuberay_makes_no_other(
    provisioned: bool, phase: Phase
) -> None:
    pods = (terminated(up(HEAD), exit_code=1, reason="Error"), a_pod(RUNNER), up(COLLECTOR))
    made = plan(provisioning(pods=pods, ray_cluster=a_cluster(provisioned=provisioned)))
    assert made.status.phase is phase


def test_an_evicted_collector_makes_way_for_another() -> None:
    evicted = up(COLLECTOR, phase="Failed", reason="Evicted")
    assert deletions(plan(running(pods=(*without(COLLECTOR), evicted)))) == ["Pod/mnist-0123abcd-collector"]
    going = replace(evicted, deleting=True, due=at(9))
    assert plan(running(pods=(*without(COLLECTOR), going))).actions == ()


def test_a_collector_whose_node_does_not_answer_makes_way_for_another() -> None:
    silent = up(COLLECTOR, deleting=True, due=at(100))
    made = plan(running(131, pods=(*without(COLLECTOR), silent)))
    assert [(each.name, each.grace_seconds) for each in made.actions if isinstance(each, Delete)] == [
        ("mnist-0123abcd-collector", 0)
    ]


def test_a_collector_that_begins_again_is_left_alone() -> None:
    crashed = replace(terminated(up(COLLECTOR), exit_code=2), phase="Running")
    assert plan(running(pods=(*without(COLLECTOR), crashed))).actions == ()


QUOTA = "; fix: a higher quota, less in the run's resources, or wait until others have ended"


def test_a_refusal_is_told_while_nothing_else_is_wrong() -> None:
    seen = provisioning(pods=(up(COLLECTOR),), refused=refusal())
    made = plan(seen)
    assert (made.status.reason, made.status.message) == (
        Reason.POD_WAITING,
        f"runner pod cannot be made: exceeded quota: team{QUOTA}",
    )
    assert condition(made, ConditionType.CLUSTER_READY).message == made.status.message
    late = plan(replace(seen, now=at(1802)))
    assert late.status.message == (
        f"runner pod cannot be made: exceeded quota: team{QUOTA} (provisioningSeconds: 1800)"
    )


def test_a_raycluster_of_which_kuberay_makes_nothing_is_told() -> None:
    pods = (up(COLLECTOR), a_pod(RUNNER))
    early = plan(provisioning(59, pods=pods, ray_cluster=a_cluster()))
    assert (early.status.message, early.requeue_after) == ("", pytest.approx(1))
    made = plan(provisioning(61, pods=pods, ray_cluster=a_cluster()))
    assert made.status.message == (
        "RayCluster: KubeRay has made no pods of mnist-0123abcd; fix: kubectl describe raycluster shows why; "
        "does KubeRay run?"
    )


def test_a_raycluster_of_unknown_making_is_asked_for_again_so_that_it_is_looked_at() -> None:
    seen = provisioning(pods=(up(COLLECTOR), a_pod(RUNNER)), ray_cluster=a_cluster(trusted=False))
    assert creations(plan(seen))[-1] == "mnist-0123abcd"


def test_a_pipeline_that_runs_too_long_is_ended_a_little_after_the_runners_own_deadline() -> None:
    spec = {"deadlines": {"runSeconds": 100}}
    assert plan(running(100 + 8 + 59, spec)).status.phase is Phase.RUNNING
    made = plan(running(100 + 8 + 61, spec))
    assert (made.status.reason, made.status.outcome) == (Reason.DEADLINE_EXCEEDED, "TIMED_OUT")


# Along the way


def test_what_is_wrong_is_told_once() -> None:
    first = provisioning(pods=(a_pod(RUNNER, waiting=("ErrImagePull", "no such image")),))
    made = plan(first)
    assert [note.reason for note in made.events] == ["PodWaiting"]
    assert plan(planned(first, made)).events == ()


def test_how_far_a_run_is_stands_in_its_status_and_is_no_event() -> None:
    assert plan(observed()).events == ()


def test_a_conditions_time_is_that_of_its_last_change() -> None:
    changed = condition(plan(running(20)), ConditionType.PREFLIGHT_PASSED)
    assert changed.last_transition_time == "2026-01-02T03:04:07Z"


def test_the_timeline_keeps_what_pods_said_that_are_gone() -> None:
    timeline = plan(sealed(seal_report())).status.timeline
    assert timeline["HeadPulled"] == "2026-01-02T03:04:08Z/2026-01-02T03:04:10Z"
    assert set(timeline) == {
        "Queued",
        "CollectorReady",
        "HeadScheduled",
        "HeadPulled",
        "HeadReady",
        "WorkersScheduled",
        "WorkersPulled",
        "WorkersReady",
        "FirstWorkerReady",
        "RunnerScheduled",
        "RunnerPulled",
        "RunnerJoined",
        "UserCode",
        "Drain",
        "ReleaseRayCluster",
        "ReleaseRunner",
        "Seal",
    }


@pytest.mark.parametrize("behind", [-600, 600, 86400 * 365])
def test_a_nodes_clock_ends_no_run(behind: int) -> None:
    ready = tuple(up(each, ready_at=at(8 - behind)) for each in (HEAD, WORKER, RUNNER, COLLECTOR))
    first = observed(a_run({"deadlines": {"runSeconds": 300}}), 2)
    there = {"ray_cluster": a_cluster(), "services": (a_service(),), "secret": SecretState.MADE}
    seen = planned(first, plan(first), now=at(20), pods=ready, **there)
    for _ in range(3):
        made = plan(seen)
        assert made.status.phase is Phase.RUNNING
        begun = made.status.timeline["UserCode"].partition("/")[0]
        assert times.stamp(CREATED) <= begun <= times.stamp(at(20))
        seen = planned(seen, made)


def test_what_user_code_says_of_its_times_is_no_time_outside_the_run() -> None:
    answer = run_report(
        Outcome.SUCCEEDED, user_code_started="0001-01-01T00:00:00Z", user_code_ended="9999-12-31T23:59:59Z"
    )
    made = plan(running(20, pods=(*without(RUNNER), terminated(up(RUNNER), answer))))
    begun, _, ended = made.status.timeline["UserCode"].partition("/")
    assert times.stamp(CREATED) <= begun <= ended <= times.stamp(at(20))
    assert made.status.user_code_start_time == times.stamp(at(8))  # when its probe was answered
