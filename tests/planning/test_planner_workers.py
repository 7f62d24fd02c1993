"""What a run does whose workers cannot start, while its pipeline's own code runs already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.planning.phases import COLLECTOR, WORKER, at, up, without
from tests.planning.runs import a_cluster, a_pod, a_run, a_service, condition, observed, planned

from vaportrail.crd.status import ConditionType, Phase, Reason
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Observed, ObservedPod, SecretState

NO_NODE = ("Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu")
PLAIN = "worker pod: Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu"
TOLD = f"{PLAIN}; fix: less in the pod's resources, another placement, or another node"
TWO = {"ray": {"workers": [{"name": "gpu", "replicas": 2}]}}


def with_workers(*workers: ObservedPod) -> tuple[ObservedPod, ...]:
    return (*without(WORKER), *workers)


def stranded(number: int = 1) -> ObservedPod:
    return a_pod(WORKER, f"worker-{number}", waiting=NO_NODE, waiting_since=at(2))


def running(
    seconds: float, *workers: ObservedPod, spec: dict[str, Any] | None = None, **seen: Any
) -> Observed:
    """Return a run whose pipeline runs beside such workers, as it is seen once that is written."""
    everything = {"ray_cluster": a_cluster(), "services": (a_service(),), "secret": SecretState.MADE, **seen}
    first = observed(a_run(spec))
    second = planned(first, plan(first), now=at(9), pods=with_workers(*workers), **everything)
    third = planned(second, plan(second), now=at(seconds))
    assert third.run.status.phase is Phase.RUNNING
    return third


def test_what_workers_wait_for_is_told_while_the_pipeline_runs() -> None:
    made = plan(running(62, stranded()))
    assert (made.status.phase, made.status.reason) == (Phase.RUNNING, Reason.POD_WAITING)
    assert made.status.message == TOLD
    assert [event.type for event in made.events] == ["Warning"]
    assert condition(made, ConditionType.CLUSTER_READY).message == TOLD
    assert condition(made, ConditionType.COMPUTE_RELEASED).reason == "RunActive"


def test_a_worker_that_waits_for_a_node_is_no_warning_for_a_minute() -> None:
    usual = running(61, stranded())
    made = plan(usual)
    assert (made.status.reason, made.status.message) == (Reason.RUNNING_PIPELINE, TOLD)
    assert made.events == ()
    assert made.requeue_after == pytest.approx(1)
    assert condition(made, ConditionType.CLUSTER_READY).reason == Reason.STARTING_PODS


def test_it_is_told_no_longer_once_all_pods_run() -> None:
    waits = running(10, stranded())
    made = plan(replace(waits, pods=with_workers(up(WORKER))))
    assert (made.status.reason, made.status.message) == (Reason.RUNNING_PIPELINE, "")


def test_words_in_which_only_numbers_change_cost_no_write() -> None:
    waits = running(10, stranded())
    other = replace(stranded(), waiting=("Unschedulable", NO_NODE[1].replace("3", "12")))
    assert plan(replace(waits, pods=with_workers(other))).status == waits.run.status
    taint = replace(stranded(), waiting=("Unschedulable", "0/3 nodes are available: 3 have a taint"))
    made = plan(replace(waits, pods=with_workers(taint)))
    assert "3 have a taint; fix: " in made.status.message


@pytest.mark.parametrize(
    ("worker", "why"),
    [(stranded(), TOLD), (up(WORKER, ready=False, ready_at=None), "no worker was ever ready")],
    ids=["cannot start", "does not get ready"],
)
def test_a_run_of_which_no_worker_was_ever_ready_ends_when_it_should_be_provisioned(
    worker: ObservedPod, why: str
) -> None:
    early = plan(running(1800, worker))
    assert (early.status.phase, early.requeue_after) == (Phase.RUNNING, pytest.approx(1))
    made = plan(running(1802, worker))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert made.status.message == f"{why} (provisioningSeconds: 1800)"


def test_the_sooner_of_two_deadlines_is_waited_for() -> None:
    short = {"deadlines": {"runSeconds": 100}}
    assert plan(running(70, stranded(), spec=short)).requeue_after == pytest.approx(100 - 2)
    long = {"deadlines": {"runSeconds": 7200}}
    assert plan(running(70, stranded(), spec=long)).requeue_after == pytest.approx(1731)


def test_a_run_that_may_be_provisioned_for_ever_waits_for_its_workers_for_ever() -> None:
    made = plan(running(10**6, stranded(), spec={"deadlines": {"provisioningSeconds": 0}}))
    assert made.status.phase is Phase.RUNNING


def test_a_worker_that_was_ready_once_is_remembered_by_whoever_looks_when_it_is_lost() -> None:
    one_is_ready = running(10, up(WORKER), stranded(2), spec=TWO)
    lost = replace(one_is_ready, pods=with_workers(stranded(2), stranded(3)), now=at(1802))
    made = plan(lost)
    assert made.status.phase is Phase.RUNNING
    assert made.status.timeline["FirstWorkerReady"] == "2026-01-02T03:04:07Z/2026-01-02T03:04:13Z"


def test_the_first_ready_worker_is_written_at_once_and_others_are_not() -> None:
    none_is_ready = running(
        10, stranded(1), stranded(2), stranded(3), spec={"ray": {"workers": [{"name": "gpu", "replicas": 3}]}}
    )
    one = replace(none_is_ready, pods=with_workers(up(WORKER, name="worker-1"), stranded(2), stranded(3)))
    made = plan(one)
    assert made.status != one.run.status
    two = planned(
        one, made, pods=with_workers(up(WORKER, name="worker-1"), up(WORKER, name="worker-2"), stranded(3))
    )
    assert plan(two).status == two.run.status


QUOTA = "worker pod cannot be made: exceeded quota: team, requested: memory=2Gi, used: memory=3Gi"


def test_a_worker_that_could_not_be_made_holds_the_deadline_though_kuberay_has_all_pods_there_are() -> None:
    cluster = a_cluster(provisioned=True, problem=QUOTA, problem_since=at(5))
    early = plan(running(1800, ray_cluster=cluster))
    assert (early.status.phase, early.requeue_after) == (Phase.RUNNING, pytest.approx(1))
    made = plan(running(1802, ray_cluster=cluster))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert made.status.message.startswith(QUOTA)
    assert made.status.message.endswith("(provisioningSeconds: 1800)")


def test_the_deadline_counts_anew_from_when_no_worker_is_ready_any_more() -> None:
    one_is_ready = running(3000, up(WORKER))
    lost = replace(one_is_ready, pods=with_workers(stranded(2)))
    known = plan(lost)
    assert known.status.timeline["NoWorkerReady"] == "2026-01-02T03:54:05Z/.."
    assert known.requeue_after == pytest.approx(1800)
    late = planned(lost, known, now=at(4799))
    assert plan(late).status.phase is Phase.RUNNING
    made = plan(replace(late, now=at(4800), pods=with_workers(up(WORKER, ready=False, name="worker-2"))))
    assert (made.status.phase, made.status.reason) == (Phase.RELEASING, Reason.PROVISIONING_FAILED)
    assert made.status.message == (
        "no worker has been ready since 2026-01-02T03:54:05Z (provisioningSeconds: 1800)"
    )


def test_a_worker_that_comes_in_time_ends_that_wait_and_a_later_loss_begins_another() -> None:
    lost = replace(running(3000, up(WORKER)), pods=with_workers(stranded(2)))
    back = planned(lost, plan(lost), now=at(3100), pods=with_workers(up(WORKER, name="worker-2")))
    written = planned(back, plan(back), now=at(10**5))
    assert written.run.status.timeline["NoWorkerReady"] == "2026-01-02T03:54:05Z/2026-01-02T03:55:45Z"
    assert plan(written).status.phase is Phase.RUNNING
    again = replace(written, pods=with_workers(stranded(3)))
    assert plan(again).status.timeline["NoWorkerReady"] == "2026-01-03T06:50:45Z/.."


def test_where_another_worker_is_ready_one_that_can_never_start_ends_nothing() -> None:
    never = a_pod(WORKER, "worker-2", waiting=("InvalidImageName", "couldn't parse image name"))
    seen = running(20, up(WORKER), stranded(2), spec=TWO)
    made = plan(replace(seen, pods=with_workers(up(WORKER), never)))
    assert (made.status.phase, made.status.reason) == (Phase.RUNNING, Reason.POD_WAITING)


def test_a_collector_that_cannot_start_is_told_while_the_pipeline_runs() -> None:
    pods = (*without(COLLECTOR), a_pod(COLLECTOR, waiting=("ErrImagePull", "no such image")))
    made = plan(replace(running(10, up(WORKER)), pods=pods))
    assert (made.status.reason, made.status.message) == (
        Reason.POD_WAITING,
        "collector pod: ErrImagePull: no such image; fix: does the image exist, and may its node pull it "
        "(imagePullSecrets)?",
    )
