"""Why a run does not run yet: one chain of reasons, of which the first that holds is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from vaportrail.crd.status import shortened
from vaportrail_operator.planning import times
from vaportrail_operator.planning.pod_state import MESSAGE_LENGTH, no_ray_pods_since, ray_cluster, terminated
from vaportrail_operator.planning.types import Component, Observed, ObservedPod

__all__ = ["set_up_late", "waiting"]

_SET_UP_SECONDS: Final = 60
"""Seconds that a node may take to give a pod its volumes and an address."""
_NUMBER: Final = re.compile(r"""(?<![\w"'.-])\d+(?![\w"'.-])""")
"""One that counts something, and is no part of a name."""
_ORDER: Final = (Component.HEAD, Component.RUNNER, Component.WORKER, Component.COLLECTOR, Component.SEALER)
"""One reason is enough for a status: that of the pod that all others need first."""


def waiting(observed: Observed) -> str:
    """Return why the run's pods do not run yet, as far as something is known to be wrong; else ``""``.

    One reason is enough for a status: that of the pod that all others need first. Words that are told
    already stay where only numbers have changed, such as of nodes: that is worth no write.
    """
    why = shortened(next(filter(None, (reason(observed) for reason in REASONS)), ""), MESSAGE_LENGTH)
    told = observed.run.status.message
    return told if _NUMBER.sub("0", told) == _NUMBER.sub("0", why) else why


def _pods_wait(observed: Observed) -> str:
    for pod in _pods(observed):
        if pod.waiting and not terminated(pod):
            return f"{pod.component.value} pod: {': '.join(filter(None, pod.waiting))}"
    return ""


def _pods_are_not_set_up(observed: Observed) -> str:
    for pod in _pods(observed):
        late = set_up_late(pod)
        if late is not None and observed.now >= late:
            missing = "a volume, a ConfigMap or Secret that it mounts, or an address"
            return (
                f"{pod.component.value} pod: ContainerCreating for {_SET_UP_SECONDS} s: its node waits for "
                f"{missing}; see kubectl describe pod {pod.name}"
            )
    return ""


def _pods(observed: Observed) -> list[ObservedPod]:
    return sorted(observed.pods, key=lambda pod: (_ORDER.index(pod.component), pod.name))


def set_up_late(pod: ObservedPod) -> datetime | None:
    """Return when it is told of a pod that its node cannot set it up; None where it has."""
    going = pod.deleting or pod.started_at is not None
    return (
        None if going or pod.not_set_up_since is None else times.later(pod.not_set_up_since, _SET_UP_SECONDS)
    )


def _cluster_waits(observed: Observed) -> str:
    cluster, refused_at = ray_cluster(observed), no_ray_pods_since(observed)
    if cluster and cluster.problem:
        return f"RayCluster: {cluster.problem}"
    if cluster and refused_at and observed.now >= refused_at:
        return f"RayCluster: KubeRay has made no pods; see kubectl describe raycluster {cluster.name}"
    return ""


def _refusal(observed: Observed) -> str:
    return f"refused: {observed.refused}" if observed.refused else ""


REASONS: Final[tuple[Callable[[Observed], str], ...]] = (
    _pods_wait,
    _pods_are_not_set_up,
    _cluster_waits,
    _refusal,
)
"""Each returns in words what it knows to be wrong, or an empty text; the first counts."""
