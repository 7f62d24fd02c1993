"""A live look for what is left of a run: not from the cache, and by names, which nobody can take off."""

from __future__ import annotations

from dataclasses import dataclass

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import Phase
from vaportrail_operator.acting.client import Client, NotFound
from vaportrail_operator.acting.endpoints import PODS
from vaportrail_operator.observation.entries import Claim, Entry, ObjectKey, entry_of
from vaportrail_operator.observation.pods import component_of
from vaportrail_operator.planning.children.table import Child, Released, named_children
from vaportrail_operator.planning.kinds import ENDPOINTS, Kind
from vaportrail_operator.planning.names import base_name
from vaportrail_operator.planning.types import Component

__all__ = ["Found", "sweep"]

_KUBERAY_LABEL = "ray.io/cluster"


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found.

    Attributes:
        entries: what has a name of the run's, and the pods of its RayCluster.
        missing: where nothing is.
        version: of the list of pods; empty where it is not known.
    """

    entries: tuple[Entry, ...]
    missing: tuple[ObjectKey, ...]
    version: str


def _is_compute(child: Child) -> bool:
    is_pod = child.kind is Kind.POD and child.released is not Released.SEALED
    return is_pod or child.kind is Kind.RAY_CLUSTER


async def sweep(client: Client, run: PipelineRun) -> Found:
    """Return what there is under the names of a run; whose that is, `children_of` tells.

    The last look, with the sealer gone, is for all. Before it only what computes is looked for.

    Raises:
        ApiError: a call failed.
    """
    metadata = run.metadata
    listing = await client.list(PODS, metadata.namespace, f"{_KUBERAY_LABEL}={base_name(run)}")
    found: list[Entry | None] = []
    for raw in listing.items:
        claim = Claim(metadata.uid, metadata.name, component_of(raw) or Component.WORKER)
        found.append(entry_of(Kind.POD, raw, claim))
    missing = []
    whole = run.status.phase not in (Phase.PROVISIONING, Phase.RUNNING, Phase.RELEASING)
    for child, name in named_children(run):
        if not child.in_sweep or not (whole or _is_compute(child)):
            continue
        kind = child.kind
        try:
            raw = await client.get(ENDPOINTS[child.kind], metadata.namespace, name)
        except NotFound:
            missing.append(ObjectKey(kind, metadata.namespace, name))
            continue
        claim = Claim(metadata.uid, metadata.name, child.component)
        found.append(entry_of(kind, raw, claim))
    return Found(tuple(filter(None, found)), tuple(missing), listing.version)
