"""What is left of a run's compute: live looks for it, its names, and its removal where it turns up late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from vaportrail.crd.status import LEFTOVER_LIMIT, PipelineRunStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.children.table import Made, Released, child_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import tokens_name
from vaportrail_operator.planning.pod_state import compute, drained
from vaportrail_operator.planning.receipt import entry
from vaportrail_operator.planning.removal import removal
from vaportrail_operator.planning.steps import PhaseResult
from vaportrail_operator.planning.types import (
    Delete,
    Observed,
    ObservedPod,
    SecretState,
    Sweep,
    SweepResult,
)

__all__ = [
    "late_children",
    "late_look",
    "left_behind",
    "object_removals",
    "pod_removal",
    "secret_left",
    "sweep_again",
    "with_leftovers",
]

_LOOK_AGAIN: Final = 2.0


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
    return (
        *(f"{Kind.POD}/{pod.name}" for pod in compute(observed)),
        *(f"{kind}/{each.name}" for kind, each in observed.objects()),
        *secret_left(observed, status),
    )


def secret_left(observed: Observed, status: PipelineRunStatus) -> tuple[str, ...]:
    """Return the Secret's name if its deletion was never answered: nobody can look whether it is there."""
    secret = entry(status.receipt, Kind.SECRET, tokens_name(observed.run))
    unanswered = secret is not None and times.is_open(secret.lifetime)
    return (secret.object,) if secret and unanswered and observed.secret is not SecretState.GONE else ()


def late_children(observed: Observed, status: PipelineRunStatus, *, forced: bool = False) -> Iterator[Delete]:
    """Yield the removal of compute that turns up after it was released: a late write of somebody's."""
    for pod in compute(observed):
        yield from pod_removal(observed, pod, forced)
    for released in Released:
        yield from object_removals(observed, released)
    if secret_left(observed, status):
        yield Delete(Kind.SECRET, tokens_name(observed.run))


def pod_removal(observed: Observed, pod: ObservedPod, forced: bool = False) -> Iterator[Delete]:
    """Yield the removal of a pod of the run."""
    # Where nothing runs any more there is nothing to wait for.
    return removal(observed, pod, grace_seconds=0 if drained(pod) else None, forced=forced)


def object_removals(observed: Observed, released: Released) -> Iterator[Delete]:
    """Yield the removal of what the operator made that is no pod, and is removed then.

    What KubeRay made goes with the RayCluster.
    """
    for kind, each in observed.objects():
        child = child_of(observed.run, kind, each.name)
        if child and child.released is released and child.made is not Made.BY_KUBERAY and not each.deleting:
            yield Delete(kind, each.name, each.uid)
