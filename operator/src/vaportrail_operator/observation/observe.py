"""From what is known of a run's objects to the one `Observed` that a plan follows from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from vaportrail_operator.observation.entries import Entry, Watched
from vaportrail_operator.observation.runs import ObservedRun
from vaportrail_operator.planning.types import (
    Observed,
    ObservedObject,
    ObservedPod,
    OperatorSettings,
    SecretState,
    SweepResult,
)

__all__ = ["observed"]


def observed(
    run: ObservedRun,
    children: Iterable[Entry],
    *,
    now: datetime,
    settings: OperatorSettings,
    kuberay: bool,
    secret: SecretState,
    refused: str,
    sweep_result: SweepResult | None,
) -> Observed:
    """Return what a plan for a run follows from.

    Args:
        run: as last seen.
        children: all that is known to be there with the run's uid in its label, in any order.
        now: the time.
        settings: the operator's.
        kuberay: whether RayClusters can be made here.
        secret: what is known of the run's Secret.
        refused: why something of the run could not be made, in words; empty if nothing was refused.
        sweep_result: the result of the last live look, if it still counts.
    """
    pods: list[ObservedPod] = []
    services: list[ObservedObject] = []
    clusters: list[ObservedObject] = []
    for entry in sorted(children, key=lambda each: each.object_key.name):
        match entry.seen:
            case ObservedPod() as pod:
                pods.append(pod)
            case ObservedObject() as other:
                (clusters if entry.object_key.kind is Watched.RAY_CLUSTER else services).append(other)
            case _:
                pass
    # Only one has the name that is a run's own; a stranger's with its label does not hide it.
    clusters.sort(key=lambda each: not each.owned)
    return Observed(
        run=run.run,
        now=now,
        settings=settings,
        kuberay=kuberay,
        ray_cluster=clusters[0] if clusters else None,
        services=tuple(services),
        pods=tuple(pods),
        secret=secret,
        refused=refused,
        sweep_result=sweep_result,
    )
