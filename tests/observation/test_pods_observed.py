"""What is read off a Pod as the Kubernetes API shows it."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from vaportrail_operator.observation.entries import entry_of
from vaportrail_operator.observation.pods import component_of, observed_pod
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Component, ObservedPod

RUN_UID = "0f1e2d3c-0000-4000-8000-000000000001"


def at(minute: int, second: int = 0) -> datetime:
    return datetime(2026, 1, 2, 3, minute, second, tzinfo=UTC)


def text(minute: int, second: int = 0) -> str:
    return f"2026-01-02T03:{minute:02d}:{second:02d}Z"


def container(name: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": "example.invalid/mnist:1",
        "imageID": "example.invalid/mnist@sha256:abc",
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
        "lastState": {},
        **more,
    }


def running(minute: int) -> dict[str, Any]:
    return {"running": {"startedAt": text(minute)}}


def ended(minute: int, *, code: int = 0, message: str = "", reason: str = "Completed") -> dict[str, Any]:
    state = {
        "containerID": "containerd://1",
        "exitCode": code,
        "reason": reason,
        "startedAt": text(1),
        "finishedAt": text(minute),
    }
    return {"terminated": {**state, **({"message": message} if message else {})}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def condition(kind: str, status: str, minute: int = 0, **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "lastTransitionTime": text(minute), **more}


def runner(**status: Any) -> dict[str, Any]:
    """A runner's pod: its container, the shipper beside it, and a status."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "mnist-0f1e2d3c-runner",
            "namespace": "team",
            "uid": "pod-uid",
            "resourceVersion": "42",
            "creationTimestamp": text(0),
            "labels": {
                "vaportrail.dev/run-uid": RUN_UID,
                "vaportrail.dev/run": "mnist",
                "vaportrail.dev/component": "runner",
            },
            "ownerReferences": [{"kind": "PipelineRun", "name": "mnist", "uid": RUN_UID, "controller": True}],
        },
        "spec": {
            # The kubelet sorts its statuses by name: the runner's comes second there.
            "containers": [{"name": "runner"}, {"name": "another"}],
            "initContainers": [{"name": "shipper", "restartPolicy": "Always"}],
        },
        "status": status,
    }


def seen(raw: dict[str, Any]) -> ObservedPod:
    return observed_pod(raw, Component.RUNNER)


def test_a_pod_that_was_just_made_is_pending_and_nothing_else() -> None:
    assert seen(runner(phase="Pending", qosClass="Burstable")) == ObservedPod(
        name="mnist-0f1e2d3c-runner",
        uid="pod-uid",
        component=Component.RUNNER,
        created_at=at(0),
        controller=RUN_UID,
    )


def sealer(**status: Any) -> dict[str, Any]:
    pod = runner(**status)
    return {**pod, "spec": {"containers": [{"name": "sealer"}], "initContainers": [{"name": "plan"}]}}


def test_what_the_container_before_the_main_one_said_is_kept_while_that_runs() -> None:
    statuses = [container("plan", ended(3, message="its hash"))]
    pod = seen(sealer(phase="Running", initContainerStatuses=statuses))
    assert pod.prepared is not None
    assert (pod.prepared.exit_code, pod.prepared.message) == (0, "its hash")


def test_why_the_container_before_the_main_one_failed_is_kept_while_it_waits_for_its_next_try() -> None:
    status = container("plan", waiting("CrashLoopBackOff"), lastState=ended(3, code=2, message="refused"))
    pod = seen(sealer(phase="Pending", initContainerStatuses=[status]))
    assert pod.prepared is not None
    assert (pod.prepared.exit_code, pod.prepared.message) == (2, "refused")


def test_a_sidecar_prepares_nothing() -> None:
    assert seen(runner(initContainerStatuses=[container("shipper", ended(3))])).prepared is None


def test_a_running_pod_says_when_it_was_scheduled_started_and_ready() -> None:
    pod = seen(
        runner(
            phase="Running",
            conditions=[condition("PodScheduled", "True", 1), condition("Ready", "True", 4)],
            initContainerStatuses=[container("shipper", running(2))],
            containerStatuses=[
                container("another", running(9), imageID="other"),
                container("runner", running(3)),
            ],
        )
    )
    assert (pod.scheduled_at, pod.started_at, pod.ready_at, pod.ready) == (at(1), at(3), at(4), True)
    assert pod.image_id == "example.invalid/mnist@sha256:abc"
    assert pod.terminated is None
    assert pod.drained_at is None
    assert pod.waiting is None


def test_a_pod_whose_main_container_ended_is_not_drained_while_its_sidecar_runs() -> None:
    pod = seen(
        runner(
            phase="Running",
            initContainerStatuses=[container("shipper", running(2))],
            containerStatuses=[
                container("another", ended(5)),
                container("runner", ended(6, code=3, message='{"outcome":"FAILED"}', reason="Error")),
            ],
        )
    )
    assert pod.terminated is not None
    assert (pod.terminated.exit_code, pod.terminated.reason) == (3, "Error")
    assert pod.terminated.message == '{"outcome":"FAILED"}'
    assert (pod.terminated.started_at, pod.terminated.finished_at) == (at(1), at(6))
    assert pod.started_at == at(1)
    assert pod.drained_at is None


def test_a_pod_is_drained_when_the_last_of_its_containers_ended() -> None:
    pod = seen(
        runner(
            phase="Succeeded",
            initContainerStatuses=[container("shipper", ended(8))],
            containerStatuses=[container("another", ended(5)), container("runner", ended(6))],
        )
    )
    assert pod.drained_at == at(8)


def test_a_container_without_a_status_is_not_taken_for_an_ended_one() -> None:
    pod = seen(runner(phase="Running", containerStatuses=[container("runner", ended(6))]))
    assert pod.drained_at is None


def test_an_evicted_pod_that_never_ran_is_drained_and_says_why() -> None:
    pod = seen(
        runner(
            phase="Failed",
            reason="Evicted",
            message="The node was low on resource: memory.",
            conditions=[condition("Ready", "False", 7)],
        )
    )
    assert (pod.reason, pod.message) == ("Evicted", "The node was low on resource: memory.")
    assert pod.drained_at == at(7)
    assert pod.terminated is None


@pytest.mark.parametrize(
    "reason",
    [
        "ImagePullBackOff",
        "ErrImagePull",
        "CreateContainerConfigError",
        "CrashLoopBackOff",
        "InvalidImageName",
    ],
)
def test_what_keeps_the_main_container_from_starting_is_told(reason: str) -> None:
    pod = seen(runner(phase="Pending", containerStatuses=[container("runner", waiting(reason, "why"))]))
    assert pod.waiting == (reason, "why")


def test_what_keeps_a_sidecar_from_starting_is_told() -> None:
    pod = seen(
        runner(
            phase="Pending",
            initContainerStatuses=[container("shipper", waiting("ErrImagePull", "not found"))],
            containerStatuses=[container("runner", waiting("PodInitializing"))],
        )
    )
    assert pod.waiting == ("ErrImagePull", "not found")


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_container_that_is_being_made_is_no_problem(reason: str) -> None:
    assert seen(runner(containerStatuses=[container("runner", waiting(reason))])).waiting is None


def test_a_pod_that_fits_no_node_is_unschedulable() -> None:
    unschedulable = condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")
    assert seen(runner(phase="Pending", conditions=[unschedulable])).waiting == ("Unschedulable", "0/3 nodes")


def test_a_pod_that_is_being_deleted_says_so_and_when_it_must_have_ended() -> None:
    raw = runner(phase="Running")
    raw["metadata"].update(deletionTimestamp=text(9), deletionGracePeriodSeconds=60)
    assert (seen(raw).deleting, seen(raw).due) == (True, at(9))


def test_the_last_words_of_a_container_that_ended_are_told() -> None:
    pod = seen(runner(phase="Failed", containerStatuses=[container("runner", ended(6, message="no space"))]))
    assert pod.termination_message == "no space"


def test_the_last_words_of_a_container_that_was_begun_again_are_those_of_its_last_end() -> None:
    again = container("runner", waiting("CrashLoopBackOff"), lastState=ended(6, code=1, message="no space"))
    pod = seen(runner(phase="Running", containerStatuses=[container("another", running(2)), again]))
    assert (pod.termination_message, pod.terminated) == ("no space", None)


def test_the_last_words_are_those_of_the_main_container_and_of_the_later_end() -> None:
    main = container("runner", ended(8, message="later"), lastState=ended(6, message="earlier"))
    pod = seen(runner(containerStatuses=[container("another", ended(9, message="of another")), main]))
    assert pod.termination_message == "later"


def test_a_later_end_without_a_word_does_not_repeat_the_words_of_an_earlier_one() -> None:
    main = container("runner", ended(8), lastState=ended(6, message="earlier"))
    assert seen(runner(containerStatuses=[main])).termination_message == ""


@pytest.mark.parametrize(
    ("labels", "component"),
    [
        ({"vaportrail.dev/component": "head"}, Component.HEAD),
        ({"ray.io/node-type": "worker"}, Component.WORKER),
        ({"vaportrail.dev/component": "sealer"}, Component.SEALER),
        ({"vaportrail.dev/component": "else"}, None),
        ({}, None),
    ],
)
def test_a_pods_component_is_in_its_labels(labels: dict[str, str], component: Component | None) -> None:
    assert component_of({"metadata": {"labels": labels}}) is component


def test_a_pod_is_kept_under_the_run_of_its_labels() -> None:
    entry = entry_of(Kind.POD, runner())
    assert entry is not None
    assert (entry.run_uid, entry.run_name, entry.version) == (RUN_UID, "mnist", "42")


@pytest.mark.parametrize(
    ("status", "phase", "since"),
    [("False", "Pending", at(5)), ("True", "Pending", None), ("False", "Failed", None)],
)
def test_a_pod_that_its_node_has_not_set_up_says_since_when(
    status: str, phase: str, since: datetime | None
) -> None:
    conditions = [condition("PodScheduled", "True", 5), condition("PodReadyToStartContainers", status, 3)]
    assert seen(runner(phase=phase, conditions=conditions)).not_set_up_since == since
    assert seen(runner(phase=phase, conditions=conditions[:1])).not_set_up_since is None


LONG = "failed to x" + ": " * 50_000
"""What an image may be called: each word of it begins another error."""


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for each in value for text in texts_of(each)]
    if dataclasses.is_dataclass(value):
        return texts_of(tuple(getattr(value, each.name) for each in dataclasses.fields(value)))
    return []


@pytest.mark.parametrize(
    "status",
    [
        {"containerStatuses": [container("runner", waiting("InvalidImageName", LONG))]},
        {"containerStatuses": [container("runner", waiting(LONG, LONG))]},
        {"containerStatuses": [container("runner", ended(1, message=LONG, reason=LONG))]},
        {"initContainerStatuses": [container("shipper", waiting("InvalidImageName", LONG))]},
        {"conditions": [condition("PodScheduled", "False", reason=LONG, message=LONG)]},
        {"phase": "Failed", "reason": LONG, "message": LONG},
        {"containerStatuses": [{**container("runner", running(1)), "imageID": LONG}]},
    ],
)
def test_what_a_pod_says_is_looked_through_and_kept_within_bounds(status: dict[str, Any]) -> None:
    begun = time.process_time()
    pod = seen(runner(**status))
    assert max(map(len, texts_of(pod))) <= 4096
    assert time.process_time() - begun < 5.0  # it was over a minute
