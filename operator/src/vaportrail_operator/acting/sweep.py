"""A live look for what is left of a run: not from the cache, and by labels, not by names."""

from __future__ import annotations

from dataclasses import dataclass

from vaportrail_operator.acting.client import Client, NotFound, Object
from vaportrail_operator.acting.resources import PODS, RAY_CLUSTERS, SERVICES, Resource
from vaportrail_operator.observation.entries import Watched
from vaportrail_operator.planning.types import RUN_UID_LABEL

__all__ = ["Found", "sweep"]

_KUBERAY_LABEL = "ray.io/cluster"
_LOOKED_AT = ((Watched.RAY_CLUSTER, RAY_CLUSTERS), (Watched.POD, PODS), (Watched.SERVICE, SERVICES))


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found of one kind.

    Attributes:
        labelled: what has the run's label.
        version: of that list.
        others: what KubeRay made and labelled only as the cluster's.
    """

    kind: Watched
    labelled: list[Object]
    version: str
    others: list[Object]

    @property
    def names(self) -> list[str]:
        """`<Kind>/<name>` of all of them."""
        return [f"{self.kind}/{each['metadata']['name']}" for each in (*self.labelled, *self.others)]


async def sweep(client: Client, namespace: str, run_uid: str, cluster: str) -> list[Found]:
    """Return what there is of a run, by kind.

    Args:
        client: of the API server.
        namespace: of the run.
        run_uid: in the label of all that is made for it.
        cluster: name of its RayCluster.
    """
    found = []
    for kind, resource in _LOOKED_AT:
        listing = await _list(client, resource, namespace, f"{RUN_UID_LABEL}={run_uid}")
        items, version = listing
        known = {each["metadata"]["uid"] for each in items}
        others: list[Object] = []
        if kind is not Watched.RAY_CLUSTER:
            of_cluster, _ = await _list(client, resource, namespace, f"{_KUBERAY_LABEL}={cluster}")
            others = [each for each in of_cluster if each["metadata"]["uid"] not in known]
        found.append(Found(kind, items, version, others))
    return found


async def _list(
    client: Client, resource: Resource, namespace: str, selector: str
) -> tuple[list[Object], str]:
    try:
        listing = await client.list(resource, namespace, selector)
    except NotFound:
        # Its kind is not served: there are none.
        return [], ""
    return listing.items, listing.version
