"""Complete lists into the cache: at the start, and again and again for what a watch may have missed."""

from __future__ import annotations

import logging
from collections.abc import Collection

from vaportrail_operator.acting.client import Client, NotFound
from vaportrail_operator.acting.resources import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.observation.entries import Watched, entry_of
from vaportrail_operator.planning.types import RUN_UID_LABEL
from vaportrail_operator.runtime.cache import Cache

__all__ = ["Lister"]

_log = logging.getLogger(__name__)
_LISTED = (
    (Watched.SERVICE, SERVICES, RUN_UID_LABEL),
    (Watched.RAY_CLUSTER, RAY_CLUSTERS, RUN_UID_LABEL),
    (Watched.POD, PODS, RUN_UID_LABEL),
    (Watched.RUN, RUNS, ""),
)


class Lister:
    """Lists every watched kind.

    Args:
        client: of the API server.
        cache: is told.
        namespaces: where; none: everywhere.
    """

    def __init__(self, client: Client, cache: Cache, namespaces: Collection[str] = ()) -> None:
        self._client, self._cache = client, cache
        self._scopes: list[str | None] = [*sorted(namespaces)] or [None]
        self.kuberay = False
        """Whether RayClusters are served, as of the last list."""

    @property
    def kinds(self) -> frozenset[Watched]:
        """What is served, and so can be watched."""
        return frozenset(Watched) - (frozenset() if self.kuberay else {Watched.RAY_CLUSTER})

    async def list_all(self) -> None:
        """List every kind, the runs last: what is made for a run is known before the run.

        Raises:
            ApiError: a call failed, or PipelineRuns are not served.
        """
        await self.look_for_kuberay()
        for kind, resource, selector in _LISTED:
            if kind is Watched.RAY_CLUSTER and not self.kuberay:
                self._cache.drop_all(kind)
                continue
            for scope in self._scopes:
                listing = await self._client.list(resource, scope, selector)
                entries = [entry for raw in listing.items if (entry := entry_of(kind, raw))]
                self._cache.replace_all(kind, scope, entries, listing.version)

    async def look_for_kuberay(self) -> bool:
        """Find out whether RayClusters are served; returns it.

        Raises:
            ApiError: the call failed.
        """
        try:
            await self._client.list(RAY_CLUSTERS, self._scopes[0], f"{RUN_UID_LABEL}=none")
        except NotFound:
            served = False
        else:
            served = True
        if served != self.kuberay:
            _log.info("rayclusters.ray.io is %s", "served" if served else "not served: KubeRay is missing")
        self.kuberay = served
        return served
