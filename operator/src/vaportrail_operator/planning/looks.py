"""What the pods and objects of a run look like: ended, drained, waiting, ready, left."""

from __future__ import annotations

from vaportrail.resources.status import shortened
from vaportrail_operator.planning.types import Component, ObjectSeen, Observed, PodSeen, SecretState

__all__ = [
    "MESSAGE_LENGTH",
    "cluster_ready",
    "compute",
    "drained",
    "ended",
    "expected_workers",
    "is_gone",
    "ray_cluster",
    "waiting",
]

MESSAGE_LENGTH = 256
"""Characters of a message in the status, whatever a pod or a pipeline said."""
_BENIGN = ("", "ContainerCreating", "PodInitializing")
_ORDER = (Component.HEAD, Component.RUNNER, Component.WORKER, Component.COLLECTOR, Component.SEALER)


def ended(pod: PodSeen | None) -> bool:
    """Return whether a pod's main container has ended, or there is no pod."""
    return pod is None or pod.terminated is not None or pod.phase in ("Succeeded", "Failed")


def drained(pod: PodSeen | None) -> bool:
    """Return whether all of a pod's containers have ended, its shipper too, or there is no pod."""
    return pod is None or pod.drained_at is not None or pod.phase in ("Succeeded", "Failed")


def ray_cluster(observed: Observed) -> ObjectSeen | None:
    """Return the run's own RayCluster: what a stranger made is not touched, and not counted."""
    cluster = observed.ray_cluster
    return cluster if cluster is not None and cluster.owned else None


def compute(observed: Observed) -> tuple[PodSeen, ...]:
    """Return all pods of the run but the sealer's."""
    return tuple(pod for pod in observed.pods if pod.component is not Component.SEALER)


def is_gone(observed: Observed) -> bool:
    """Return whether nothing of the run's compute is known to be left; of the Secret it is certain."""
    return (
        not compute(observed)
        and ray_cluster(observed) is None
        and not observed.services
        and observed.secret is SecretState.GONE
    )


def expected_workers(observed: Observed) -> int:
    """Return how many workers the run asks for."""
    return sum(group.replicas for group in observed.run.spec.ray.workers)


def cluster_ready(observed: Observed) -> bool:
    """Return whether the Ray head and all workers are ready."""
    head = observed.pod(Component.HEAD)
    ready = sum(pod.ready for pod in observed.pods_of(Component.WORKER))
    return head is not None and head.ready and ready >= expected_workers(observed)


def waiting(observed: Observed) -> str:
    """Return why the run's pods do not run yet, as far as something is known to be wrong; else ``""``.

    One reason is enough for a status: that of the pod that all others need first.
    """
    for component in _ORDER:
        for pod in sorted(observed.pods_of(component), key=lambda each: each.name):
            if pod.waiting and pod.waiting[0] not in _BENIGN and not ended(pod):
                reason, message = pod.waiting
                said = f"{component.value} pod: {reason}" + (f": {message}" if message else "")
                return shortened(said, MESSAGE_LENGTH)
    cluster = ray_cluster(observed)
    return shortened(f"RayCluster: {cluster.problem}", MESSAGE_LENGTH) if cluster and cluster.problem else ""
