"""What the pods and objects of a run look like: ended, drained, silent, waiting, ready."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.removal import overdue
from vaportrail_operator.planning.timeline_names import FIRST_WORKER_READY
from vaportrail_operator.planning.types import Component, Observed, ObservedObject, ObservedPod, SecretState

__all__ = [
    "MESSAGE_LENGTH",
    "cluster_ready",
    "compute",
    "drained",
    "expected_workers",
    "is_gone",
    "no_ray_pods_since",
    "node_unreachable",
    "ray_cluster",
    "terminated",
    "will_not_restart",
    "worker_was_ready",
]

MESSAGE_LENGTH = 256
"""Characters of a message in the status, whatever a pod or a pipeline said."""
_NO_RAY_PODS_SECONDS: Final = 60
"""Seconds that KubeRay may take to make the first pod of a RayCluster."""


def will_not_restart(pod: ObservedPod) -> bool:
    """Return whether none of a pod's containers will ever run again, whatever its restart policy."""
    return pod.phase in ("Succeeded", "Failed")


def terminated(pod: ObservedPod | None) -> bool:
    """Return whether a pod's main container has ended, or there is no pod."""
    return pod is None or pod.terminated is not None or will_not_restart(pod)


def drained(pod: ObservedPod | None) -> bool:
    """Return whether all of a pod's containers have ended, its shipper too, or there is no pod."""
    return pod is None or pod.drained_at is not None or will_not_restart(pod)


def node_unreachable(observed: Observed, pod: ObservedPod | None) -> bool:
    """Return whether there is a pod whose node does not answer: it has not ended, and says nothing more."""
    return pod is not None and not drained(pod) and overdue(observed, pod)


def ray_cluster(observed: Observed) -> ObservedObject | None:
    """Return the run's RayCluster, if it is known that the operator made it."""
    cluster = observed.ray_cluster
    return cluster if cluster is not None and cluster.trusted else None


def compute(observed: Observed) -> tuple[ObservedPod, ...]:
    """Return all pods of the run but the sealer's."""
    return tuple(pod for pod in observed.pods if pod.component is not Component.SEALER)


def is_gone(observed: Observed) -> bool:
    """Return whether nothing of the run's compute is known to be left; of the Secret it is certain."""
    return not compute(observed) and not observed.objects() and observed.secret is SecretState.GONE


def expected_workers(observed: Observed) -> int:
    """Return how many workers the run asks for."""
    return sum(group.replicas for group in observed.run.spec.ray.workers)


def cluster_ready(observed: Observed) -> bool:
    """Return whether the Ray head and all workers are ready."""
    head = observed.pod(Component.HEAD)
    ready = sum(pod.ready for pod in observed.trusted_pods(Component.WORKER))
    return head is not None and head.ready and ready >= expected_workers(observed)


def worker_was_ready(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether any worker was ever ready, as far as anybody has seen: also one that is lost now.

    That KubeRay calls a cluster provisioned says nothing of it: it counts only the pods that could be made.
    """
    return FIRST_WORKER_READY in status.timeline or any(
        pod.ready_at for pod in observed.trusted_pods(Component.WORKER)
    )


def no_ray_pods_since(observed: Observed) -> datetime | None:
    """Return when it is certain that KubeRay refuses the run's RayCluster, should it make no pod by then.

    It says why in an Event only. None where there is nothing to wait for.
    """
    cluster = ray_cluster(observed)
    if cluster is None or cluster.deleting or observed.pods_of(Component.HEAD, Component.WORKER):
        return None
    return times.later(cluster.created_at, _NO_RAY_PODS_SECONDS)
