"""Why a run does not run yet: one chain of reasons, of which the first that holds is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vaportrail.crd.status import shortened
from vaportrail_operator.planning import times
from vaportrail_operator.planning.obstacles import UNKNOWN, Obstacle, obstacle_of
from vaportrail_operator.planning.pod_state import MESSAGE_LENGTH, no_ray_pods_since, ray_cluster, terminated
from vaportrail_operator.planning.types import Component, Observed, ObservedPod

__all__ = [
    "Wait",
    "set_up_late",
    "status_message",
    "turns",
    "waiting",
    "waiting_message",
    "waits",
    "with_fix",
]

_SET_UP_SECONDS: Final = 60
"""Seconds that a node may take to give a pod its volumes and an address."""
_NUMBER: Final = re.compile(r"""(?<![\w"'.-])\d+(\.\d+)?(m|k|[KMGTPE]i?)?(?![\w"'.-])""")
"""One that counts something, and is no part of a name; also a quantity."""
_FEWEST: Final = 120
"""Characters of what is wrong that are worth more than what to do."""
_ORDER: Final = (Component.HEAD, Component.RUNNER, Component.WORKER, Component.COLLECTOR, Component.SEALER)
"""One reason is enough for a status: that of the pod that all others need first."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that keeps a run waiting.

    Attributes:
        text: what is said of it.
        since: since when, where that is known.
        status: of the API server's reply that says so; 0 where it is another's word.
    """

    text: str
    since: datetime | None = None
    status: int = 0

    @property
    def obstacle(self) -> Obstacle:
        """What it is."""
        return obstacle_of(self.text, self.status)

    @property
    def ends_at(self) -> datetime | None:
        """When it ends the run; None: by itself never."""
        seconds = self.obstacle.seconds
        return None if seconds is None or self.since is None else times.later(self.since, seconds)

    @property
    def wrong_from(self) -> datetime | None:
        """Until when it is ordinary; None: something is wrong already."""
        seconds = self.obstacle.ordinary
        return times.later(self.since, seconds) if seconds and self.since else None


def waits(observed: Observed) -> Iterator[Wait]:
    """Yield all that keeps the run's pods from running, as far as it is known, what is told first first."""
    for reason in REASONS:
        yield from reason(observed)


def waiting(observed: Observed) -> Wait | None:
    """Return what is told of why the run's pods do not run yet; None where nothing is known to be wrong.

    One reason is enough for a status: that of the pod that all others need first.
    """
    return next(waits(observed), None)


def status_message(observed: Observed, wait: Wait | None) -> str:
    """Return in words why the run waits, and what to do; empty where nothing is known to be wrong.

    Words that are told already stay where only numbers have changed, such as of nodes or of what others
    use of a quota: that is worth no write.
    """
    why = with_fix(wait.text, wait.obstacle) if wait else ""
    before = observed.run.status.message
    return before if _NUMBER.sub("0", before) == _NUMBER.sub("0", why) else why


def with_fix(text: str, obstacle: Obstacle, limit: int = MESSAGE_LENGTH) -> str:
    """Return what is wrong, cut where there is no room, and what to do about it, whole or not at all."""
    fix = f"; fix: {obstacle.fix}" if obstacle is not UNKNOWN else ""
    room = limit - len(fix)
    if room < min(len(text), _FEWEST):
        return shortened(text, limit)
    return f"{shortened(text, room)}{fix}"


def waiting_message(observed: Observed) -> str:
    """Return in words why the run waits, and what to do; empty where nothing is known to be wrong."""
    return status_message(observed, waiting(observed))


def turns(observed: Observed) -> Iterator[datetime]:
    """Yield the moments at which something that the run waits for counts for more than before."""
    for wait in waits(observed):
        yield from filter(None, (wait.ends_at, wait.wrong_from))


def _pods_wait(observed: Observed) -> Iterator[Wait]:
    for pod in _pods(observed):
        if pod.waiting and not terminated(pod):
            text = f"{pod.component.value} pod: {': '.join(filter(None, pod.waiting))}"
            yield Wait(text, pod.waiting_since or pod.scheduled_at or pod.created_at)


def _pods_are_not_set_up(observed: Observed) -> Iterator[Wait]:
    for pod in _pods(observed):
        late = set_up_late(pod)
        if late is not None and observed.now >= late:
            yield Wait(
                f"{pod.component.value} pod: ContainerCreating for {_SET_UP_SECONDS} s: its node waits for a "
                f"volume, a ConfigMap or Secret that it mounts, or an address: pod {pod.name}"
            )


def _pods(observed: Observed) -> list[ObservedPod]:
    return sorted(observed.trusted_pods(*Component), key=lambda pod: (_ORDER.index(pod.component), pod.name))


def set_up_late(pod: ObservedPod) -> datetime | None:
    """Return when it is told of a pod that its node cannot set it up; None where it has."""
    going = pod.deleting or pod.started_at is not None
    return (
        None if going or pod.not_set_up_since is None else times.later(pod.not_set_up_since, _SET_UP_SECONDS)
    )


def _cluster_waits(observed: Observed) -> Iterator[Wait]:
    cluster, barren = ray_cluster(observed), no_ray_pods_since(observed)
    if cluster and cluster.problem:
        yield Wait(cluster.problem, cluster.problem_since or cluster.created_at)
    if cluster and barren and observed.now >= barren:
        yield Wait(f"RayCluster: KubeRay has made no pods of {cluster.name}")


def _refusal(observed: Observed) -> Iterator[Wait]:
    if observed.refused:
        yield Wait(observed.refused.text, observed.refused.since, observed.refused.status)


REASONS: Final[tuple[Callable[[Observed], Iterator[Wait]], ...]] = (
    _pods_wait,
    _pods_are_not_set_up,
    _cluster_waits,
    _refusal,
)
"""Each yields what it knows to be wrong; the first counts."""
