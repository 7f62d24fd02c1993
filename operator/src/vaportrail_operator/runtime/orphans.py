"""Removes what was made for a run that is gone or over, should anything ever be left so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from vaportrail_operator.acting.client import ApiError, Client, Conflict, NotFound
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.observation.entries import Entry
from vaportrail_operator.observation.runs import observed_run
from vaportrail_operator.planning.children.table import Child, Made, Released, child_of
from vaportrail_operator.planning.kinds import ENDPOINTS, Kind
from vaportrail_operator.planning.names import run_known_by
from vaportrail_operator.planning.pod_state import drained
from vaportrail_operator.planning.removal import overdue_since
from vaportrail_operator.planning.types import Component, ObservedObject, ObservedPod
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import RunKey
from vaportrail_operator.runtime.metrics import Metrics

__all__ = ["OrphanSweeper"]

_log = logging.getLogger(__name__)
_ENDED = ("Succeeded", "Failed")
_SHIPPING = (Component.RUNNER, Component.HEAD, Component.WORKER)
_AGAIN = 30.0
"""Seconds until what is left of a run that is gone is looked at again."""


class OrphanSweeper:
    """Looks for leaks among what is known, and makes sure of each with a live read of its run.

    Args:
        cache: what is known.
        client: of the API server.
        clock: monotonic seconds.
        metrics: where what is removed, and what could not be, is counted.
        now: the time, as the API server has it.
        min_age_seconds: seconds that something must have been left, as far as this process saw.
        longest_seconds: the same, for what still has work to do: no run owns it, so that it can do it
            though its run was deleted.
    """

    def __init__(
        self,
        cache: Cache,
        client: Client,
        clock: Callable[[], float],
        metrics: Metrics,
        *,
        now: Callable[[], datetime],
        min_age_seconds: float = 600.0,
        longest_seconds: float = 7200.0,
    ) -> None:
        self._cache, self._client, self._clock, self._metrics = cache, client, clock, metrics
        self._min_age_seconds, self._longest_seconds = min_age_seconds, longest_seconds
        self._now = now
        self._since: dict[str, float] = {}

    async def sweep(self) -> int:
        """Remove what has been left for too long; returns how much that was.

        What cannot be removed now is said, and tried again the next time.
        """
        now = self._clock()
        left = [entry async for entry in _bit_by_bit(self._cache.made_for_runs()) if self._is_left(entry)]
        self._since = {entry.uid: self._since.get(entry.uid, now) for entry in left}
        removed = 0
        for entry in left:
            if now - self._since[entry.uid] >= self._min_age_of(entry):
                removed += await self._remove_if_left(entry)
        return removed

    async def sweep_of_gone(self, key: RunKey) -> float | None:
        """Remove what waits for the end of a run that is gone, as soon as nobody needs it any more.

        Returns:
            Seconds until this should be looked at again; None: nothing is left that waits.
        """
        waiting = []
        async for entry in _bit_by_bit(self._cache.made_for_name(key)):
            child = _row_of(entry)
            if child is not None and child.released in _WAIT and self._is_left(entry):
                waiting.append((entry, child))
        for entry, child in waiting:
            if self._may_go(entry, child):
                await self._remove_if_left(entry, ordinary=True)
        return _AGAIN if waiting else None

    def _may_go(self, entry: Entry, child: Child) -> bool:
        if child.released is Released.SEALED:
            return isinstance(entry.seen, ObservedPod) and entry.seen.phase in _ENDED
        here = entry.object_key.namespace
        others = self._cache.children(entry.run_uid)
        return not any(_ships(each) for each in others if each.object_key.namespace == here)

    def _is_left(self, entry: Entry) -> bool:
        seen = entry.seen
        if not isinstance(seen, ObservedPod | ObservedObject) or self._is_going(seen) or not entry.run_name:
            return False
        if _row_of(entry) is None:
            return False
        found = self._cache.run((entry.object_key.namespace, entry.run_name))
        return not (found and found[0].uid == entry.run_uid and not found[1].over)

    def _is_going(self, seen: ObservedPod | ObservedObject) -> bool:
        # A pod whose deletion was cut off, or whose node is lost, never goes by itself.
        return seen.deleting and not self._is_overdue(seen)

    def _is_overdue(self, seen: object) -> bool:
        since = overdue_since(seen) if isinstance(seen, ObservedPod) else None
        return since is not None and self._now() >= since

    async def _remove_if_left(self, entry: Entry, *, ordinary: bool = False) -> int:
        try:
            return await self._remove(entry, ordinary) if await self._is_left_live(entry) else 0
        except ApiError as error:
            # The others do not wait for this one, nor does whoever has them swept.
            self._metrics.orphans_kept.labels(str(entry.object_key.kind)).inc()
            _log.warning("what was left of a run cannot be removed now: %s", error)
            return 0

    async def _is_left_live(self, entry: Entry) -> bool:
        try:
            raw = await self._client.get(RUNS, entry.object_key.namespace, entry.run_name)
        except NotFound:
            return True
        seen = observed_run(raw)
        return seen.run.metadata.uid != entry.run_uid or seen.over

    async def _remove(self, entry: Entry, ordinary: bool) -> int:
        object_key = entry.object_key
        try:
            await self._client.delete(
                ENDPOINTS[object_key.kind],
                object_key.namespace,
                object_key.name,
                uid=entry.uid,
                grace_seconds=0 if self._is_overdue(entry.seen) else None,
            )
        except NotFound:
            self._cache.drop(object_key, entry.uid)
            return 0
        except Conflict:
            # Another object has its name, or it just changed: the next list tells.
            return 0
        self._cache.mark_deleting(object_key, entry.uid)
        if not ordinary:
            self._metrics.leaked.labels(str(object_key.kind)).inc()
        _log.log(
            logging.INFO if ordinary else logging.WARNING,
            "removed what was left of a run",
            extra={
                "namespace": object_key.namespace,
                "run": entry.run_name,
                "run_uid": entry.run_uid,
                "object": f"{object_key.kind}/{object_key.name}",
            },
        )
        return 1

    def _min_age_of(self, entry: Entry) -> float:
        child = _row_of(entry)
        waits = child is not None and child.released in _WAIT and not self._may_go(entry, child)
        return self._longest_seconds if waits else self._min_age_seconds


_WAIT = (Released.AFTER_DRAIN, Released.SEALED)
"""What has work left when its run is gone."""


_run_known_by = lru_cache(maxsize=1024)(run_known_by)
_AT_ONCE = 256
"""How many objects are looked at before others have their turn."""

T = TypeVar("T")


async def _bit_by_bit(entries: Iterable[T]) -> AsyncIterator[T]:
    """Yield them all, and let the loop go on meanwhile: there may be many more than there are runs."""
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


def _row_of(entry: Entry) -> Child | None:
    """Return the row of what looks as what the operator makes; None for all else.

    Its run may be unknown by now, and may have been deleted without what it owned. What is made by another
    object's controller goes with that object.
    """
    seen = entry.seen
    if not isinstance(seen, ObservedPod | ObservedObject) or seen.controller not in ("", entry.run_uid):
        return None
    place = entry.object_key
    # Anybody may give anything the labels: most of it is told by its name, without a model of its run.
    if not place.name.startswith(f"{entry.run_name}-{entry.run_uid[:8]}"):
        return None
    run = _run_known_by(place.namespace, entry.run_name, entry.run_uid)
    component = seen.component if isinstance(seen, ObservedPod) else None
    child = child_of(run, place.kind, place.name, component)
    return child if child is not None and child.made is not Made.BY_KUBERAY else None


def _ships(entry: Entry) -> bool:
    """Return whether something of a run may still ship, or have pods made that will."""
    seen = entry.seen
    if isinstance(seen, ObservedPod):
        return seen.component in _SHIPPING and not drained(seen)
    return entry.object_key.kind is Kind.RAY_CLUSTER
