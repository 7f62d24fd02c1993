"""When the pods of a comparison ran, from the events of a watch."""

from __future__ import annotations

from kubernetes.client import V1ObjectMeta, V1Pod, V1PodStatus

from e2e.comparison.pods import RunningPods


def pod(uid: str, phase: str | None = None, *, status: bool = True) -> V1Pod:
    return V1Pod(metadata=V1ObjectMeta(uid=uid), status=V1PodStatus(phase=phase) if status else None)


def test_a_pod_that_has_no_status_yet_will_run() -> None:
    pods = RunningPods()
    pods.take("ADDED", pod("a", status=False), 1.0)
    pods.take("ADDED", pod("b"), 1.0)

    assert pods.running == {"a", "b"}


def test_a_pod_stops_once_by_its_end_or_by_its_removal() -> None:
    pods = RunningPods()
    for kind, which, phase, now in (
        ("ADDED", "a", "Pending", 1.0),
        ("ADDED", "b", "Running", 2.0),
        ("MODIFIED", "a", "Failed", 3.0),
        ("DELETED", "b", "Running", 4.0),
        ("DELETED", "a", "Failed", 5.0),
    ):
        pods.take(kind, pod(which, phase), now)

    assert (pods.running, pods.last_stop) == (set(), 4.0)


def test_a_pod_without_a_status_can_be_removed() -> None:
    pods = RunningPods()
    pods.take("ADDED", pod("a", status=False), 1.0)
    pods.take("DELETED", pod("a", status=False), 2.0)

    assert (pods.running, pods.last_stop) == (set(), 2.0)
