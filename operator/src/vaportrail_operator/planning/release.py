"""`Releasing`: what is removed, in which order, and when it counts as gone.

First whatever still runs the user's code, so that it can end in an orderly way; then the RayCluster;
the collector only when every shipper has drained.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from vaportrail.resources.status import LEFTOVER_LIMIT, PipelineRunStatus
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.looks import compute, drained, ended, is_gone, ray_cluster
from vaportrail_operator.planning.names import tokens_name
from vaportrail_operator.planning.receipt import last_removal
from vaportrail_operator.planning.steps import Step
from vaportrail_operator.planning.timeline import DRAIN
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Delete,
    Kind,
    Observed,
    PodSeen,
    SecretState,
    Sweep,
    Swept,
)

__all__ = ["confirmation", "is_released", "release", "strays", "sweep_again"]

_LOOK_AGAIN = 2.0
_TRY_AGAIN = 1.0


def release(observed: Observed, status: PipelineRunStatus) -> Step:
    """Return the next step towards nothing being left but the record's parts."""
    if is_gone(observed):
        return sweep_again(observed, status)
    forced = deadlines.over(observed, deadlines.of_release(observed.run, status))
    # Whether a Secret is gone is only known from the answer to its deletion.
    again = _TRY_AGAIN if not compute(observed) and not observed.services else None
    return Step(status, tuple(_removals(observed, forced)), again)


def is_released(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether all compute is gone, and a live look has confirmed it."""
    begun = times.begin(status.timeline.get(DRAIN, ""))
    return begun is not None and is_gone(observed) and confirmation(observed, status, begun) is not None


def confirmation(observed: Observed, status: PipelineRunStatus, since: datetime) -> Swept | None:
    """Return the live look that found nothing left, later than all that it confirms; None without one."""
    swept = observed.swept
    removed = last_removal(status.receipt)
    since = max(since, removed) if removed else since
    return swept if swept and not swept.left and swept.at >= since else None


def sweep_again(observed: Observed, status: PipelineRunStatus) -> Step:
    """Return the step that looks live for what is left, not all the time while something is."""
    swept = observed.swept
    if swept is None or not swept.left:
        return Step(status, (Sweep(),), _LOOK_AGAIN)
    told = status.model_copy(update={"leftovers": sorted(swept.left)[:LEFTOVER_LIMIT]})
    waited = (observed.now - swept.at).total_seconds()
    if 0 <= waited < _LOOK_AGAIN:
        return Step(told, (), _LOOK_AGAIN - waited)
    return Step(told, (Sweep(),), _LOOK_AGAIN)


def _removals(observed: Observed, forced: bool) -> Iterator[Action]:
    runner = observed.pod(Component.RUNNER)
    if runner and (forced or not ended(runner) or drained(runner)):
        yield from _pod(runner, forced)
    cluster = ray_cluster(observed)
    if cluster and not cluster.deleting and (forced or ended(runner)):
        yield Delete(Kind.RAY_CLUSTER, cluster.name, cluster.uid)
    ray = observed.pods_of(Component.HEAD, Component.WORKER)
    if forced:
        for pod in ray:
            yield from _pod(pod, forced)
    quiet = all(map(drained, (*ray, *observed.pods_of(Component.RUNNER))))
    if not forced and not (quiet and (cluster is None or cluster.deleting)):
        return
    for pod in observed.pods_of(Component.COLLECTOR):
        yield from _pod(pod, forced)
    yield from _services(observed)
    if observed.secret is not SecretState.GONE:
        yield Delete(Kind.SECRET, tokens_name(observed.run))


def _pod(pod: PodSeen, forced: bool = False) -> Iterator[Delete]:
    """Yield a pod's removal; one that is ending anyway is left to it, unless its time is over."""
    if forced:
        yield Delete(Kind.POD, pod.name, pod.uid, grace_seconds=0)
    elif not pod.deleting:
        # Where nothing runs any more there is nothing to wait for.
        yield Delete(Kind.POD, pod.name, pod.uid, grace_seconds=0 if drained(pod) else None)


def _services(observed: Observed) -> Iterator[Delete]:
    for service in observed.services:
        if service.owned and not service.deleting:
            yield Delete(Kind.SERVICE, service.name, service.uid)


def strays(observed: Observed) -> Iterator[Delete]:
    """Yield the removal of compute that turns up after it was released: a late write of somebody's."""
    for pod in compute(observed):
        yield from _pod(pod)
    cluster = ray_cluster(observed)
    if cluster and not cluster.deleting:
        yield Delete(Kind.RAY_CLUSTER, cluster.name, cluster.uid)
    yield from _services(observed)
