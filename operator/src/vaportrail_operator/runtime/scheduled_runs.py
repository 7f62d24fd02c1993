"""Which runs say that they are which schedule's, kept as they change."""

from __future__ import annotations

from collections import defaultdict

from vaportrail_operator.planning.schedules.schedule_types import ScheduledRun
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import Key, RunKey, ScheduleKey

__all__ = ["ScheduledRuns"]

_Owner = tuple[str, str]
"""A namespace, and the uid of a schedule in it."""


class ScheduledRuns:
    """The runs of schedules, found without a look at all runs.

    Args:
        cache: what is known.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._runs: dict[RunKey, ScheduledRun] = {}
        self._names: defaultdict[_Owner, set[str]] = defaultdict(set)

    def changed(self, key: Key) -> ScheduleKey | None:
        """Take in that something of a run changed, or that it is gone.

        Returns:
            The schedule that it may be of, by its name; None where nothing changed that matters to one.
        """
        if isinstance(key, ScheduleKey):
            return None
        namespace, name = key
        found = self._cache.run(key)
        now, before = found[1].scheduled if found else None, self._runs.pop(key, None)
        if before is not None:
            names = self._names[namespace, before.schedule_uid]
            names.discard(name)
            if not names:
                del self._names[namespace, before.schedule_uid]
        if now is not None:
            self._runs[key] = now
            self._names[namespace, now.schedule_uid].add(name)
        # A run is called after its schedule and its minute.
        return None if now == before else ScheduleKey(namespace, name.rpartition("-")[0])

    def of(self, namespace: str, schedule_uid: str) -> tuple[ScheduledRun, ...]:
        """Return what says that it is a schedule's."""
        names = self._names.get((namespace, schedule_uid), ())
        return tuple(self._runs[namespace, name] for name in names)
