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
TOLD = "worker pod: Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu"
TWO = {"ray": {"workers": [{"name": "gpu", "replicas": 2}]}}


def with_workers(*workers: ObservedPod) -> tuple[ObservedPod, ...]:
    return (*without(WORKER), *workers)


def stranded(number: int = 1) -> ObservedPod:
    return a_pod(WORKER, f"worker-{number}", waiting=NO_NODE)


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
    made = plan(running(10, stranded()))
    assert (made.status.phase, made.status.reason) == (Phase.RUNNING, Reason.POD_WAITING)
    assert made.status.message == TOLD
    assert condition(made, ConditionType.CLUSTER_READY).message == TOLD
    assert condition(made, ConditionType.COMPUTE_RELEASED).reason == "RunActive"


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
    assert made.status.message.endswith("3 have a taint")


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
    assert plan(running(10, stranded(), spec=short)).requeue_after == pytest.approx(100 + 60 - 2)
    long = {"deadlines": {"runSeconds": 7200}}
    assert plan(running(10, stranded(), spec=long)).requeue_after == pytest.approx(1791)


def test_a_run_that_may_be_provisioned_for_ever_waits_for_its_workers_for_ever() -> None:
    made = plan(running(10**6, stranded(), spec={"deadlines": {"provisioningSeconds": 0}}))
    assert made.status.phase is Phase.RUNNING


def test_a_worker_that_was_ready_once_is_remembered_by_whoever_looks_when_it_is_lost() -> None:
    one_is_ready = running(10, up(WORKER), stranded(2), spec=TWO)
    lost = replace(one_is_ready, pods=with_workers(stranded(2), stranded(3)), now=at(1802))
    made = plan(lost)
    assert made.status.phase is Phase.RUNNING
    assert made.requeue_after is None
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


def test_workers_that_nobody_saw_ready_were_so_if_kuberay_says_that_all_pods_were() -> None:
    seen = running(1802, stranded(), ray_cluster=a_cluster(provisioned=True))
    assert plan(seen).status.phase is Phase.RUNNING


def test_a_collector_that_cannot_start_is_told_while_the_pipeline_runs() -> None:
    pods = (*without(COLLECTOR), a_pod(COLLECTOR, waiting=("ErrImagePull", "no such image")))
    made = plan(replace(running(10, up(WORKER)), pods=pods))
    assert (made.status.reason, made.status.message) == (
        Reason.POD_WAITING,
        "collector pod: ErrImagePull: no such image",
    )
