"""Which runs say that they are which schedule's, kept as they change."""

from __future__ import annotations

from collections import defaultdict

from vaportrail_operator.planning.schedules.schedule_types import ScheduledRun
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import Key, ScheduleKey

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
        self._owners: dict[tuple[str, str], _Owner] = {}
        self._names: defaultdict[_Owner, set[str]] = defaultdict(set)

    def changed(self, key: Key) -> ScheduleKey | None:
        """Take in that something of a run changed, or that it is gone.

        Returns:
            The schedule that it may be of, by its name; None where it says that it is of none.
        """
        if isinstance(key, ScheduleKey):
            return None
        namespace, name = key
        found = self._cache.run(key)
        run = found[1].scheduled if found else None
        before = self._owners.pop(key, None)
        if before is not None:
            self._names[before].discard(name)
            if not self._names[before]:
                del self._names[before]
        if run is not None:
            owner = self._owners[key] = (namespace, run.schedule_uid)
            self._names[owner].add(name)
        if run is None and before is None:
            return None
        # A run is called after its schedule and its minute.
        return ScheduleKey(namespace, name.rpartition("-")[0])

    def of(self, namespace: str, schedule_uid: str) -> tuple[ScheduledRun, ...]:
        """Return what says that it is a schedule's."""
        names = self._names.get((namespace, schedule_uid), ())
        found = (self._cache.run((namespace, name)) for name in names)
        return tuple(each[1].scheduled for each in found if each and each[1].scheduled)
