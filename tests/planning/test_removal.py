"""A pod whose deletion was cut off between its two steps is deleted once more, wherever that matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.planning.phases import (
    COLLECTOR,
    HEAD,
    RUNNER,
    SEALER,
    WORKER,
    at,
    over,
    provisioning,
    running,
    sealing,
    up,
    with_spec,
    without,
)
from tests.planning.runs import a_cluster, a_pod, planned, run_report, seal_report, terminated

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Phase
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Component, Delete, Observed, ObservedPod

DUE, OVERDUE = 50.0, 81.0
RELEASING, SEALED, OVER = "releasing", "sealed", "over"


def going(component: Component, *, exit_code: int = 0) -> ObservedPod:
    """Return a pod that has ended and was to go by `DUE`."""
    answer = {RUNNER: run_report(), SEALER: seal_report()}.get(component, "")
    ended = terminated(up(component, created_at=at(2)), answer, exit_code=exit_code)
    return replace(ended, deleting=True, due=at(DUE))


def ending(pods: tuple[ObservedPod, ...], seconds: float) -> Observed:
    """Return a run in `Releasing` that has removed its RayCluster."""
    ended = running(20, pods=(*without(RUNNER), terminated(up(RUNNER), run_report())))
    return planned(ended, plan(ended), now=at(seconds), pods=pods, ray_cluster=None)


def in_phase(phase: str, pod: ObservedPod, seconds: float) -> Observed:
    if phase == RELEASING:
        return ending((pod,), seconds)
    if phase == OVER:
        return replace(over(seconds), pods=(pod,))
    first = sealing(pods=(replace(pod, deleting=False, due=None),))
    written = planned(first, plan(first), now=at(seconds), pods=(pod,))
    assert (written.run.status.phase, written.run.status.record.state) == (Phase.SEALING, "Sealed")
    return written


CASES = [
    *((RELEASING, each) for each in (HEAD, WORKER, RUNNER, COLLECTOR)),
    (SEALED, SEALER),
    *((OVER, each) for each in (HEAD, WORKER, RUNNER, COLLECTOR, SEALER)),
]


@pytest.mark.parametrize(("phase", "component"), CASES)
def test_an_ended_pod_that_does_not_go_is_deleted_once_more(phase: str, component: Component) -> None:
    pod = going(component)
    again = Delete(Kind.POD, pod.name, pod.uid, grace_seconds=0)

    early = plan(in_phase(phase, pod, OVERDUE - 2))
    late = plan(in_phase(phase, pod, OVERDUE))

    assert again not in early.actions
    assert early.requeue_after is not None
    assert early.requeue_after <= 2
    assert again in late.actions


def early_failure(seconds: float, worker: ObservedPod, **seen: Any) -> Observed:
    """Return a run whose runner failed before a worker had begun, with the RayCluster being deleted."""
    report = run_report(Outcome.FAILED, message="the archive has another hash")
    ended = running(10, pods=(*without(RUNNER, WORKER), terminated(up(RUNNER), report), worker))
    cluster = replace(a_cluster(), deleting=True)
    return planned(ended, plan(ended), now=at(seconds), ray_cluster=cluster, pods=(up(HEAD), worker), **seen)


@pytest.mark.parametrize("deleting", [False, True])
def test_a_pod_whose_main_container_never_began_is_given_a_second(deleting: bool) -> None:
    worker = a_pod(WORKER, scheduled_at=at(3), deleting=deleting, due=at(90) if deleting else None)
    made = plan(early_failure(20, worker))
    assert [each for each in made.actions if isinstance(each, Delete) and each.kind is Kind.POD] == [
        Delete(Kind.POD, worker.name, worker.uid, grace_seconds=1)
    ]


def test_that_second_is_asked_for_once() -> None:
    worker = a_pod(WORKER, scheduled_at=at(3), deleting=True, due=at(21))
    assert not [each for each in plan(early_failure(20, worker)).actions if isinstance(each, Delete)]


def test_a_worker_that_has_begun_has_the_time_to_ship_what_it_holds() -> None:
    worker = up(WORKER, ready=False, ready_at=None, deleting=True, due=at(90))
    assert not [each for each in plan(early_failure(20, worker)).actions if isinstance(each, Delete)]


def test_a_runner_that_never_began_is_given_a_second() -> None:
    waits = a_pod(RUNNER, scheduled_at=at(3))
    cancelled = with_spec(provisioning(20, pods=(waits, up(HEAD)), ray_cluster=a_cluster()), cancel=True)
    made = plan(planned(cancelled, plan(cancelled)))
    assert Delete(Kind.POD, waits.name, waits.uid, grace_seconds=1) in made.actions


def test_a_failed_sealer_that_does_not_go_keeps_no_other_from_being_made() -> None:
    failed = going(SEALER, exit_code=1)

    assert plan(sealing(OVERDUE - 2, pods=(failed,))).actions == ()
    assert plan(sealing(OVERDUE, pods=(failed,))).actions == (
        Delete(Kind.POD, failed.name, failed.uid, grace_seconds=0),
    )


def test_an_ended_collector_that_does_not_go_keeps_no_other_from_being_made() -> None:
    ended = going(COLLECTOR, exit_code=1)
    again = Delete(Kind.POD, ended.name, ended.uid, grace_seconds=0)

    assert again not in plan(running(OVERDUE - 2, pods=(*without(COLLECTOR), ended))).actions
    assert again in plan(running(OVERDUE, pods=(*without(COLLECTOR), ended))).actions
