"""`Releasing`: what is removed, in which order, and when it counts as gone.

First whatever still runs the user's code, so that it can end in an orderly way; then the RayCluster;
the collector only when every shipper has drained. What a node or somebody's finalizer keeps is removed
without grace after `releaseSeconds`, and after as long again the run goes on without it. What nobody has
asked to go until then, because no operator was there, is asked first and has its own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.children.table import Released, made_by_operator
from vaportrail_operator.planning.ends import can_store_nothing
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.leftovers import (
    late_look,
    left_behind,
    object_removals,
    pod_removal,
    sweep_again,
    with_leftovers,
)
from vaportrail_operator.planning.names import tokens_name
from vaportrail_operator.planning.phases.sealing import sealing
from vaportrail_operator.planning.pod_reports import run_report
from vaportrail_operator.planning.pod_state import compute, drained, is_gone, node_unreachable, terminated
from vaportrail_operator.planning.receipt import last_removal
from vaportrail_operator.planning.removal import hurried_removal, never_began, overdue
from vaportrail_operator.planning.steps import PhaseResult, soonest
from vaportrail_operator.planning.timeline_names import DRAIN
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Delete,
    Observed,
    ObservedPod,
    SecretState,
    Sweep,
)
from vaportrail_operator.planning.upkeep import keep_up_for_the_rest

__all__ = ["releasing"]

_TRY_AGAIN: Final = 1.0
_GOES_WITHIN: Final = 10.0
"""Seconds in which what is being deleted, and has no time left, is usually gone."""


def releasing(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step of a run whose compute is being released."""
    report = run_report(observed.pod(Component.RUNNER))
    if report and report.outcome.ended:
        # It was told to end, and says how that went.
        status = status.model_copy(update={"outcome": report.outcome.value})
    return sealing(observed, status) if _is_over(observed, status) else _release(observed, status)


def _is_over(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether all compute is gone and a live look has confirmed it, or this was given up."""
    if times.begin(status.timeline.get(DRAIN, "")) is None:
        return False
    if deadlines.over(observed, deadlines.of_abandoned_release(observed.run, status)):
        return True
    look = late_look(observed, _since(status)) if is_gone(observed) else None
    return look is not None and not look.left


def _release(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step towards nothing being left but the record's parts."""
    late = deadlines.over(observed, deadlines.of_release(observed.run, status))
    if late:
        status = with_leftovers(status, left_behind(observed, status))
    if is_gone(observed):
        return sweep_again(observed, status, _since(status))
    # Whether a Secret is gone is only known from the answer to its deletion.
    again = _TRY_AGAIN if not compute(observed) and not observed.objects() and not late else None
    vain = can_store_nothing(observed, status)
    forced = late and (vain or not any(_has_time(observed, pod) for pod in _shipping(observed)))
    kept = () if forced or vain else keep_up_for_the_rest(observed)
    look, rest = _look_for_what_goes(observed, status)
    dues = [pod.due for pod in observed.pods if late and pod.due and pod.due > observed.now]
    rests = [(due - observed.now).total_seconds() for due in dues]
    removals = _removals(observed, late=late, forced=forced, vain=vain)
    return PhaseResult(status, (*removals, *kept, *look), soonest(again, rest, *rests))


def _shipping(observed: Observed) -> tuple[ObservedPod, ...]:
    return observed.pods_of(Component.HEAD, Component.WORKER, Component.RUNNER)


def _has_time(observed: Observed, pod: ObservedPod) -> bool:
    """Return whether a pod may still end in an orderly way: it was asked to go lately, or never."""
    if drained(pod) or not pod.trusted or node_unreachable(observed, pod):
        return False
    return pod.due is not None and pod.due > observed.now if pod.deleting else not never_began(pod)


def _look_for_what_goes(
    observed: Observed, status: PipelineRunStatus
) -> tuple[tuple[Sweep, ...], float | None]:
    """Return a live look, or how long there is no need for one: that the last of it went may go unheard."""
    run = observed.run
    objects = [each for kind, each in observed.objects() if made_by_operator(run, kind, each.name)]
    pods_stay = any(pod.due is None or pod.due > observed.now for pod in compute(observed))
    begun = times.begin(status.timeline.get(DRAIN, ""))
    if begun is None or pods_stay or not all(each.deleting for each in objects):
        return (), None
    since = max(begun, observed.sweep_result.at) if observed.sweep_result else begun
    rest = _GOES_WITHIN - (observed.now - since).total_seconds()
    return ((), min(rest, _GOES_WITHIN)) if rest > 0 else ((Sweep(),), _GOES_WITHIN)


def _since(status: PipelineRunStatus) -> datetime | None:
    begun, removed = times.begin(status.timeline.get(DRAIN, "")), last_removal(status.receipt)
    return max((each for each in (begun, removed) if each), default=None)


def _removals(observed: Observed, *, late: bool, forced: bool, vain: bool) -> Iterator[Action]:
    """Yield what removes what is left, in its order.

    Args:
        observed: what is seen.
        late: whether the time for that is over: nothing waits for its turn any more.
        forced: whether what ships something has had its time, too.
        vain: whether nothing that is still to be shipped can be stored.
    """
    runner = observed.pod(Component.RUNNER)
    silent = node_unreachable(observed, runner)
    if runner and (late or silent or not terminated(runner) or drained(runner)):
        yield from pod_removal(observed, runner, forced)
    elif runner and vain:
        yield from hurried_removal(observed, runner)
    for pod in observed.pods_of(Component.RUNNER):
        if not pod.trusted:  # nobody waits for what it has to say
            yield from pod_removal(observed, pod, forced)
    yield from object_removals(observed, Released.FIRST)
    if late or silent or terminated(runner):
        yield from object_removals(observed, Released.AFTER_RUNNER)
    ray = observed.pods_of(Component.HEAD, Component.WORKER)
    ending = observed.ray_cluster is None or observed.ray_cluster.deleting
    for pod in ray:
        if late or overdue(observed, pod):
            yield from pod_removal(observed, pod, forced)
        elif ending and (vain or never_began(pod)):
            # KubeRay gives it all the time that one has that ships something.
            yield from hurried_removal(observed, pod)
    quiet = all(drained(pod) or node_unreachable(observed, pod) for pod in _shipping(observed))
    cluster = observed.ray_cluster
    # Of one that was just made its pods may be there, and not be seen yet: they are before its end is.
    going = cluster is None or (cluster.deleting and bool(ray))
    if not forced and not (quiet and going):
        return
    for pod in observed.pods_of(Component.COLLECTOR):
        yield from pod_removal(observed, pod, forced)
    yield from object_removals(observed, Released.AFTER_DRAIN)
    if observed.secret is not SecretState.GONE:
        yield Delete(Kind.SECRET, tokens_name(observed.run))
