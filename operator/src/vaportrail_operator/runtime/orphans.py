"""Removes what was made for a run that is gone or over, should anything ever be left so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from vaportrail_operator.acting.client import ApiError, Client, Conflict, NotFound
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.observation.entries import Entry
from vaportrail_operator.observation.runs import KeptRun, observed_run
from vaportrail_operator.planning.kinds import ENDPOINTS, Kind
from vaportrail_operator.planning.removal import overdue_since
from vaportrail_operator.planning.types import Component, ObservedObject, ObservedPod
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.metrics import Metrics

__all__ = ["OrphanSweeper"]

_log = logging.getLogger(__name__)
_OURS = (Component.RUNNER, Component.COLLECTOR)
_ENDED = ("Succeeded", "Failed")


class OrphanSweeper:
    """Looks for leaks among what is known, and makes sure of each with a live read of its run.

    Args:
        cache: what is known.
        client: of the API server.
        clock: monotonic seconds.
        metrics: where what is removed, and what could not be, is counted.
        now: the time, as the API server has it.
        min_age_seconds: seconds that something must have been left, as far as this process saw.
        sealer_patience: the same, for a sealer that still works: nothing owns it, so that it can end
            its record though its run was deleted.
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
        sealer_patience: float = 7200.0,
    ) -> None:
        self._cache, self._client, self._clock, self._metrics = cache, client, clock, metrics
        self._min_age_seconds, self._sealer_min_age_seconds = min_age_seconds, sealer_patience
        self._now = now
        self._since: dict[str, float] = {}

    async def sweep(self) -> int:
        """Remove what has been left for too long; returns how much that was.

        What cannot be removed now is said, and tried again the next time.
        """
        now = self._clock()
        left = [entry for entry in self._cache.made_for_runs() if self._is_left(entry)]
        self._since = {entry.uid: self._since.get(entry.uid, now) for entry in left}
        removed = 0
        for entry in left:
            if now - self._since[entry.uid] >= self._min_age_of(entry):
                removed += await self._remove_if_left(entry)
        return removed

    def _is_left(self, entry: Entry) -> bool:
        seen = entry.seen
        if isinstance(seen, KeptRun) or self._is_going(seen) or not entry.run_name:
            return False
        if not _is_made_by_us(entry):
            return False
        found = self._cache.run((entry.object_key.namespace, entry.run_name))
        return not (found and found[0].uid == entry.run_uid and not found[1].over)

    def _is_going(self, seen: ObservedPod | ObservedObject) -> bool:
        # A pod whose deletion was cut off, or whose node is lost, never goes by itself.
        return seen.deleting and not self._is_overdue(seen)

    def _is_overdue(self, seen: object) -> bool:
        since = overdue_since(seen) if isinstance(seen, ObservedPod) else None
        return since is not None and self._now() >= since

    async def _remove_if_left(self, entry: Entry) -> int:
        try:
            return await self._remove(entry) if await self._is_left_live(entry) else 0
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

    async def _remove(self, entry: Entry) -> int:
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
        self._metrics.leaked.labels(str(object_key.kind)).inc()
        _log.warning(
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
        seen = entry.seen
        working = (
            entry.object_key.kind is Kind.POD
            and isinstance(seen, ObservedPod)
            and seen.component is Component.SEALER
            and seen.phase not in _ENDED
        )
        return self._sealer_min_age_seconds if working else self._min_age_seconds


def _is_made_by_us(entry: Entry) -> bool:
    """Return whether something looks as what the operator makes: its run may be unknown by now.

    What is made by another object's controller goes with that object.
    """
    seen = entry.seen
    if isinstance(seen, ObservedPod) and seen.component is Component.SEALER:
        return entry.object_key.name == f"{entry.run_name}-{entry.run_uid[:8]}-sealer"
    if isinstance(seen, ObservedPod):
        return seen.component in _OURS and seen.controller == entry.run_uid
    return isinstance(seen, ObservedObject) and bool(entry.run_uid) and seen.controller == entry.run_uid
