"""Whose an object is that says it is a run's: whoever may make pods may give them any label, name and owner.

What the run's end and its record follow from is believed of objects that the operator made, by the uid
that the reply to their creation told, and of what KubeRay made for such a RayCluster.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.children.table import Made, child_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import base_name
from vaportrail_operator.planning.receipt import entry
from vaportrail_operator.planning.types import Component

__all__ = ["Standing", "cluster_uids", "standing"]


class Standing(Enum):
    """What an object is to a run.

    `CLAIMED` has the run, or its RayCluster, as its controller and a name of the run's, but nothing tells
    who made it: it is removed with the run's own, and nothing that it says counts. So has what no run owns
    and has the run's name and label; but a sealer, which is asked for until it is there.
    """

    OURS = "ours"
    CLAIMED = "claimed"
    STRANGER = "stranger"


def standing(
    run: PipelineRun,
    kind: Kind,
    name: str,
    uid: str,
    *,
    namespace: str,
    component: Component | None,
    controller: str,
    clusters: Collection[str],
    made: Collection[str],
    labelled: bool = True,
) -> Standing:
    """Return what an object is to a run.

    Args:
        run: the run.
        kind: of the object.
        name: of the object.
        uid: of the object.
        namespace: of the object.
        component: what a pod's labels say that it is; None of what is no pod.
        controller: uid of the object's controller; empty where it has none.
        clusters: uids of what is the run's RayCluster: `cluster_uids`.
        made: uids that replies to this process told, of what it made for the run.
        labelled: whether its labels say that it is the run's.
    """
    child = child_of(run, kind, name, component)
    if child is None or namespace != run.metadata.namespace:
        return Standing.STRANGER
    known = _is_known(run, kind, name, uid, made)
    if not child.owned:
        claims = labelled and controller in ("", run.metadata.uid) and child.made is not Made.TO_SEAL
        return Standing.OURS if known else Standing.CLAIMED if claims else Standing.STRANGER
    if child.made is Made.BY_KUBERAY:
        if not controller or controller not in clusters:
            return Standing.STRANGER
        known = _is_known(run, Kind.RAY_CLUSTER, base_name(run), controller, made)
    elif controller != run.metadata.uid:
        return Standing.STRANGER
    return Standing.OURS if known else Standing.CLAIMED


def cluster_uids(run: PipelineRun, seen: Collection[str]) -> frozenset[str]:
    """Return the uids of what is, or was, the run's RayCluster: its pods may be there after it.

    Args:
        run: the run.
        seen: uids of those that are there with its name and the run as their controller.
    """
    known = entry(run.status.receipt, Kind.RAY_CLUSTER, base_name(run))
    return frozenset([*seen, *([known.uid] if known is not None and known.uid else [])])


def _is_known(run: PipelineRun, kind: Kind, name: str, uid: str, made: Collection[str]) -> bool:
    known = entry(run.status.receipt, kind, name)
    return bool(uid) and (uid in made or (known is not None and known.uid == uid))
