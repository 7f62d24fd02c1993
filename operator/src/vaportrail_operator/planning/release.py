"""`Releasing`: what is removed, in which order, and when it counts as gone.

First whatever still runs the user's code, so that it can end in an orderly way; then the RayCluster;
the collector only when every shipper has drained. What a node or somebody's finalizer keeps is removed
without grace after `releaseSeconds`, and after as long again the run goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from vaportrail.crd.status import LEFTOVER_LIMIT, PipelineRunStatus
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.collector_upkeep import ensure_collector_for_the_rest
from vaportrail_operator.planning.names import tokens_name
from vaportrail_operator.planning.pod_state import (
    compute,
    drained,
    is_gone,
    node_unreachable,
    terminated,
)
from vaportrail_operator.planning.receipt import entry, last_removal
from vaportrail_operator.planning.removal import overdue, removal
from vaportrail_operator.planning.steps import PhaseResult, soonest
from vaportrail_operator.planning.timeline_names import DRAIN
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Delete,
    Kind,
    Observed,
    ObservedPod,
    SecretState,
    Sweep,
    SweepResult,
)

__all__ = [
    "is_over",
    "late_children",
    "late_look",
    "left_behind",
    "release",
    "secret_left",
    "sweep_again",
    "with_leftovers",
]

_LOOK_AGAIN = 2.0
_TRY_AGAIN = 1.0
_GOES_WITHIN = 10.0
"""Seconds in which what is being deleted, and has no time left, is usually gone."""


def release(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step towards nothing being left but the record's parts."""
    forced = deadlines.over(observed, deadlines.of_release(observed.run, status))
    if forced:
        status = with_leftovers(status, left_behind(observed, status))
    if is_gone(observed):
        return sweep_again(observed, status, _since(status))
    # Whether a Secret is gone is only known from the answer to its deletion.
    again = _TRY_AGAIN if not compute(observed) and not observed.services and not forced else None
    kept = () if forced else ensure_collector_for_the_rest(observed)
    look, rest = _look_for_what_goes(observed, status)
    return PhaseResult(status, (*_removals(observed, forced), *kept, *look), soonest(again, rest))


def _look_for_what_goes(
    observed: Observed, status: PipelineRunStatus
) -> tuple[tuple[Sweep, ...], float | None]:
    """Return a live look, or how long there is no need for one: that the last of it went may go unheard."""
    cluster = observed.ray_cluster
    objects = [*(each for each in observed.services if each.owned), *([cluster] if cluster else [])]
    pods_stay = any(pod.due is None or pod.due > observed.now for pod in compute(observed))
    begun = times.begin(status.timeline.get(DRAIN, ""))
    if begun is None or pods_stay or not all(each.deleting for each in objects):
        return (), None
    since = max(begun, observed.sweep_result.at) if observed.sweep_result else begun
    rest = _GOES_WITHIN - (observed.now - since).total_seconds()
    return ((), min(rest, _GOES_WITHIN)) if rest > 0 else ((Sweep(),), _GOES_WITHIN)


def is_over(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether all compute is gone and a live look has confirmed it, or this was given up."""
    if times.begin(status.timeline.get(DRAIN, "")) is None:
        return False
    if deadlines.over(observed, deadlines.of_abandoned_release(observed.run, status)):
        return True
    look = late_look(observed, _since(status)) if is_gone(observed) else None
    return look is not None and not look.left


def _since(status: PipelineRunStatus) -> datetime | None:
    begun, removed = times.begin(status.timeline.get(DRAIN, "")), last_removal(status.receipt)
    return max((each for each in (begun, removed) if each), default=None)


def late_look(observed: Observed, since: datetime | None) -> SweepResult | None:
    """Return the last live look if it was no earlier than something; None without one."""
    sweep_result = observed.sweep_result
    return sweep_result if sweep_result and since and sweep_result.at >= since else None


def sweep_again(observed: Observed, status: PipelineRunStatus, since: datetime | None) -> PhaseResult:
    """Return the step that looks live for what is left, not all the time while something is.

    Args:
        observed: what is seen.
        status: of the run.
        since: only a look that is no earlier counts.
    """
    if since is not None and since > observed.now:
        # By another clock, which is ahead: no look of now would count.
        ahead = (since - observed.now).total_seconds()
        return PhaseResult(status, (), min(ahead, _LOOK_AGAIN))
    sweep_result = observed.sweep_result
    if sweep_result is None:
        return PhaseResult(status, (Sweep(),), _LOOK_AGAIN)
    found = sweep_result.left
    if found:
        status = with_leftovers(status, found)
    waited = (observed.now - sweep_result.at).total_seconds()
    if (found or late_look(observed, since) or since is None) and 0 <= waited < _LOOK_AGAIN:
        return PhaseResult(status, (), _LOOK_AGAIN - waited)
    return PhaseResult(status, (Sweep(),), _LOOK_AGAIN)


def with_leftovers(status: PipelineRunStatus, left: tuple[str, ...]) -> PipelineRunStatus:
    """Return the status with the names of what is left."""
    return status.model_copy(update={"leftovers": sorted(left)[:LEFTOVER_LIMIT]})


def left_behind(observed: Observed, status: PipelineRunStatus) -> tuple[str, ...]:
    """Return the names of what is left of the run's compute, as far as is seen."""
    cluster = observed.ray_cluster
    return (
        *(f"{Kind.POD}/{pod.name}" for pod in compute(observed)),
        *(f"{Kind.SERVICE}/{service.name}" for service in observed.services),
        *([f"{Kind.RAY_CLUSTER}/{cluster.name}"] if cluster else []),
        *secret_left(observed, status),
    )


def secret_left(observed: Observed, status: PipelineRunStatus) -> tuple[str, ...]:
    """Return the Secret's name if its deletion was never answered: nobody can look whether it is there."""
    secret = entry(status.receipt, Kind.SECRET, tokens_name(observed.run))
    unanswered = secret is not None and times.is_open(secret.lifetime)
    return (secret.object,) if secret and unanswered and observed.secret is not SecretState.GONE else ()


def _removals(observed: Observed, forced: bool) -> Iterator[Action]:
    runner = observed.pod(Component.RUNNER)
    silent = node_unreachable(observed, runner)
    if runner and (forced or silent or not terminated(runner) or drained(runner)):
        yield from _removal(observed, runner, forced)
    for pod in observed.pods_of(Component.RUNNER):
        if not pod.trusted:  # nobody waits for what it has to say
            yield from _removal(observed, pod, forced)
    cluster = observed.ray_cluster
    if cluster and not cluster.deleting and (forced or silent or terminated(runner)):
        yield Delete(Kind.RAY_CLUSTER, cluster.name, cluster.uid)
    ray = observed.pods_of(Component.HEAD, Component.WORKER)
    for pod in ray:
        if forced or overdue(observed, pod):
            yield from _removal(observed, pod, forced)
    shipping = (*ray, *observed.pods_of(Component.RUNNER))
    quiet = all(drained(pod) or node_unreachable(observed, pod) for pod in shipping)
    if not forced and not (quiet and (cluster is None or cluster.deleting)):
        return
    for pod in observed.pods_of(Component.COLLECTOR):
        yield from _removal(observed, pod, forced)
    yield from _services(observed)
    if observed.secret is not SecretState.GONE:
        yield Delete(Kind.SECRET, tokens_name(observed.run))


def _removal(observed: Observed, pod: ObservedPod, forced: bool = False) -> Iterator[Delete]:
    # Where nothing runs any more there is nothing to wait for.
    return removal(observed, pod, grace_seconds=0 if drained(pod) else None, forced=forced)


def _services(observed: Observed) -> Iterator[Delete]:
    for service in observed.services:
        if service.owned and not service.deleting:
            yield Delete(Kind.SERVICE, service.name, service.uid)


def late_children(observed: Observed, status: PipelineRunStatus, *, forced: bool = False) -> Iterator[Delete]:
    """Yield the removal of compute that turns up after it was released: a late write of somebody's."""
    for pod in compute(observed):
        yield from _removal(observed, pod, forced)
    cluster = observed.ray_cluster
    if cluster and not cluster.deleting:
        yield Delete(Kind.RAY_CLUSTER, cluster.name, cluster.uid)
    yield from _services(observed)
    if secret_left(observed, status):
        yield Delete(Kind.SECRET, tokens_name(observed.run))
