"""From what is known of a run's objects to the one `Observed` that a plan follows from."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.observation.runs import ObservedRun
from vaportrail_operator.planning.belonging import Standing, cluster_uids, standing
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import base_name
from vaportrail_operator.planning.types import (
    Observed,
    ObservedObject,
    ObservedPod,
    OperatorSettings,
    Refusal,
    SecretState,
    SweepResult,
)

__all__ = ["Children", "children_of", "observed"]


@dataclass(frozen=True, slots=True)
class Children:
    """What says that it was made for a run.

    Attributes:
        own: what was, as far as anybody can tell, in the order of names; see `Standing`.
        strangers: what was not, and is passed over.
    """

    own: tuple[Entry, ...]
    strangers: tuple[Entry, ...]


def children_of(run: PipelineRun, entries: Iterable[Entry], made: Collection[str]) -> Children:
    """Return what was made for a run, apart from what only says so.

    Args:
        run: the run.
        entries: all that has its uid in its label, in any order.
        made: uids that replies to this process told, of what it made for the run.
    """
    ordered = sorted(entries, key=lambda each: (each.object_key.name, each.uid))
    clusters = cluster_uids(run, [each.uid for each in ordered if _is_cluster(run, each)])
    own, strangers = [], []
    for each in ordered:
        seen = each.seen
        if not isinstance(seen, ObservedPod | ObservedObject):
            continue
        found = standing(
            run,
            each.object_key.kind,
            each.object_key.name,
            each.uid,
            namespace=each.object_key.namespace,
            component=seen.component if isinstance(seen, ObservedPod) else None,
            controller=seen.controller,
            clusters=clusters,
            made=made,
            labelled=each.labelled,
        )
        if found is Standing.STRANGER:
            strangers.append(each)
        else:
            own.append(replace(each, seen=replace(seen, trusted=found is Standing.OURS)))
    return Children(tuple(own), tuple(strangers))


def _is_cluster(run: PipelineRun, entry: Entry) -> bool:
    place = ObjectKey(Kind.RAY_CLUSTER, run.metadata.namespace, base_name(run))
    return entry.object_key == place and _is_controlled(run, entry)


def _is_controlled(run: PipelineRun, entry: Entry) -> bool:
    return isinstance(entry.seen, ObservedObject) and entry.seen.controller == run.metadata.uid


def observed(
    run: ObservedRun,
    children: Children,
    *,
    now: datetime,
    settings: OperatorSettings,
    kuberay: bool,
    secret: SecretState,
    refused: Refusal | None,
    sweep_result: SweepResult | None,
) -> Observed:
    """Return what a plan for a run follows from.

    Args:
        run: as last seen.
        children: what was made for it and is there.
        now: the time.
        settings: the operator's.
        kuberay: whether RayClusters can be made here.
        secret: what is known of the run's Secret.
        refused: what of the run could not be made, and why; None if nothing was refused.
        sweep_result: the result of the last live look, if it still counts.
    """
    pods: list[ObservedPod] = []
    objects: dict[Kind, list[ObservedObject]] = {Kind.SERVICE: [], Kind.RAY_CLUSTER: []}
    for entry in children.own:
        match entry.seen:
            case ObservedPod() as pod:
                pods.append(pod)
            case ObservedObject() as other:
                objects.setdefault(entry.object_key.kind, []).append(other)
            case _:
                pass
    services, clusters = objects.pop(Kind.SERVICE), objects.pop(Kind.RAY_CLUSTER)
    return Observed(
        run=run.run,
        left_out=run.left_out,
        now=now,
        settings=settings,
        kuberay=kuberay,
        ray_cluster=clusters[0] if clusters else None,
        services=tuple(services),
        others=tuple((kind, each) for kind, some in objects.items() for each in some),
        pods=tuple(pods),
        secret=secret,
        refused=refused,
        sweep_result=sweep_result,
    )
