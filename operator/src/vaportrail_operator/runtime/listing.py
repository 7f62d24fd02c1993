"""Complete lists into the cache: at the start, and again and again for what a watch may have missed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial

from vaportrail_operator.acting.client import Client, Forbidden, NotFound, Object
from vaportrail_operator.acting.endpoints import RAY_CLUSTERS
from vaportrail_operator.observation.entries import Entry, ObjectKey, entry_of
from vaportrail_operator.observation.fields import metadata_of
from vaportrail_operator.planning.kinds import ENDPOINTS, LABELLED, WATCHED, Kind
from vaportrail_operator.planning.types import RUN_UID_LABEL
from vaportrail_operator.runtime.cache import Cache

__all__ = ["Lister"]

_log = logging.getLogger(__name__)


class Lister:
    """Lists every watched kind.

    A namespace in which the API server refuses a list is left out, with all that was known of it, until
    none is refused: its Role goes with it when it is deleted, and the others go on.

    Args:
        client: of the API server.
        cache: is told.
        namespaces: where; none: everywhere.
    """

    def __init__(self, client: Client, cache: Cache, namespaces: Collection[str] = ()) -> None:
        self._client, self._cache = client, cache
        self._scopes: list[str | None] = [*sorted(namespaces)] or [None]
        self._refusals: dict[str, Forbidden] = {}
        self.kuberay = False
        """Whether RayClusters are served, as of the last list."""
        self.schedules = True
        """Whether PipelineSchedules are: an upgrade may bring their definition after the operator."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """What is served, and so can be watched."""
        missing = {Kind.RAY_CLUSTER: not self.kuberay, Kind.SCHEDULE: not self.schedules}
        return frozenset(kind for kind in WATCHED if not missing.get(kind))

    async def list_all(self) -> None:
        """List every kind.

        Raises:
            ApiError: a call failed, PipelineRuns are not served, or every namespace is refused.
        """
        if not await self.look_for_kuberay():
            self._cache.drop_all(Kind.RAY_CLUSTER)
        for scope in self._scopes:
            await self._list(scope)
        if len(self._refusals) == len(self._scopes):
            raise next(iter(self._refusals.values()))

    async def list_refused(self) -> None:
        """List the namespaces once more that were refused the last time.

        Raises:
            ApiError: a call failed.
        """
        for namespace in list(self._refusals):
            await self._list(namespace)

    async def look_for_kuberay(self) -> bool:
        """Find out whether RayClusters are served; returns it.

        Raises:
            ApiError: the call failed.
        """
        served = await self._serves_kuberay()
        if served != self.kuberay:
            _log.info("rayclusters.ray.io is %s", "served" if served else "not served: KubeRay is missing")
        self.kuberay = served
        return served

    async def _serves_kuberay(self) -> bool:
        refusals = []
        for scope in self._scopes:
            try:
                await self._client.list(RAY_CLUSTERS, scope, f"{RUN_UID_LABEL}=none")
            except NotFound:
                return False
            except Forbidden as error:
                refusals.append(error)
            else:
                return True
        raise refusals[0]

    async def _list(self, scope: str | None) -> None:
        """List every kind, in their order."""
        try:
            for kind in WATCHED:
                if kind is Kind.SCHEDULE:
                    await self._list_schedules(scope)
                elif kind in self.kinds:
                    await self._list_kind(kind, scope)
        except Forbidden as error:
            if scope is None:
                raise
            self._leave_out(scope, error)
            return
        if scope in self._refusals:
            del self._refusals[scope]
            _log.info("namespace %s is served again", scope)

    async def _list_kind(self, kind: Kind, scope: str | None) -> None:
        entries: list[Entry] = []
        take = partial(self._take, kind, entries)
        selector = RUN_UID_LABEL if kind in LABELLED else ""
        newest = self._cache.newest(kind)
        version = await self._client.each(ENDPOINTS[kind], scope, selector, take)
        if self._went_back(kind, newest, version):
            # What seemed known was not read: a version may stand for something else now.
            entries.clear()
            version = await self._client.each(ENDPOINTS[kind], scope, selector, take)
        self._cache.replace_all(kind, scope, entries, version)

    async def _list_schedules(self, scope: str | None) -> None:
        try:
            await self._list_kind(Kind.SCHEDULE, scope)
            served = True
        except NotFound:
            self._cache.drop_all(Kind.SCHEDULE)
            served = False
        if served != self.schedules:
            _log.info("pipelineschedules.vaportrail.dev is %s", "served" if served else "not served")
        self.schedules = served

    def _went_back(self, kind: Kind, newest: int, version: str) -> bool:
        """Return whether a list is older than what was known before: the store was put back from a backup."""
        if not version.isdecimal() or int(version) >= newest:
            return False
        _log.error(
            "the API server's store was put back: a list of %s is of version %s, and %d was known; what was "
            "known is forgotten",
            kind,
            version,
            newest,
        )
        self._cache.rewind()
        return True

    def _take(self, kind: Kind, entries: list[Entry], raw: Object) -> None:
        metadata = metadata_of(raw)
        place = ObjectKey(kind, metadata.get("namespace", ""), metadata.get("name", ""))
        known = self._cache.get(place)
        # What has not changed is not read again: that is nearly all of it.
        same = known is not None and (known.uid, known.version) == (
            metadata.get("uid"),
            metadata.get("resourceVersion"),
        )
        entry = known if same else _read(kind, raw)
        if entry is not None:
            entries.append(entry)

    def _leave_out(self, namespace: str, error: Forbidden) -> None:
        if namespace not in self._refusals:
            _log.warning("namespace %s is left out until this is allowed: %s", namespace, error)
        self._refusals[namespace] = error
        self._cache.forget(namespace)


def _read(kind: Kind, raw: Object) -> Entry | None:
    """Return what is kept of an object; one that surprises must not keep the others from being seen."""
    try:
        return entry_of(kind, raw)
    except Exception:
        _log.exception("a %s cannot be read, and is passed over: %s", kind, metadata_of(raw).get("name", ""))
        return None
