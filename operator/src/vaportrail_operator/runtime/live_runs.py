"""Which runs have not ended, kept as they change: nobody goes through thousands that have, to find a few."""

from __future__ import annotations

from collections.abc import Iterator

from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import Key, RunKey, ScheduleKey

__all__ = ["LiveRuns"]


class LiveRuns:
    """The keys of the runs that have not ended, by namespace.

    Args:
        cache: what is known.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._names: dict[str, set[str]] = {}

    def changed(self, key: Key) -> None:
        """Take in that something of a run changed, or that it is gone; schedules are none."""
        if isinstance(key, ScheduleKey):
            return
        namespace, name = key
        found = self._cache.run(key)
        if found and not found[1].over:
            self._names.setdefault(namespace, set()).add(name)
        elif namespace in self._names:
            self._names[namespace].discard(name)
            if not self._names[namespace]:
                del self._names[namespace]

    def counts(self) -> dict[str, int]:
        """Return how many there are, by namespace."""
        return {namespace: len(names) for namespace, names in self._names.items()}

    def __iter__(self) -> Iterator[RunKey]:
        return iter([(namespace, name) for namespace, names in self._names.items() for name in names])
