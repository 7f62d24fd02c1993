"""Where what was made for a run is: by the run's uid, and by its name where the run is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable
from itertools import islice

from vaportrail_operator.observation.entries import Entry, ObjectKey
from vaportrail_operator.runtime.run_memory import STRANGERS

__all__ = ["RunIndex"]


class RunIndex:
    """Places of objects, found without a look at all of them."""

    def __init__(self) -> None:
        self._places: defaultdict[Hashable, set[ObjectKey]] = defaultdict(set)

    def add(self, entry: Entry) -> None:
        """Take an object in; one that says of no run is left out."""
        if entry.run_uid:
            for key in _keys(entry):
                self._places[key].add(entry.object_key)

    def discard(self, entry: Entry) -> None:
        """Take an object out, if it is in."""
        for key in _keys(entry):
            places = self._places.get(key)
            if places is not None:
                places.discard(entry.object_key)
                if not places:
                    del self._places[key]

    def of_run(self, run_uid: str, namespace: str) -> Collection[ObjectKey]:
        """Return where what was made for a run is; of what is in other namespaces than the run a few places.

        Args:
            run_uid: the run.
            namespace: its own; empty where the run is not known: then all.
        """
        places = self._places.get(run_uid, ())
        if not namespace:
            return places
        elsewhere = (place for place in places if place.namespace != namespace)
        return [*(place for place in places if place.namespace == namespace), *islice(elsewhere, STRANGERS)]

    def of_name(self, namespace: str, name: str) -> Collection[ObjectKey]:
        """Return where what was made for runs of a name is."""
        return self._places.get((namespace, name), ())


def _keys(entry: Entry) -> tuple[Hashable, Hashable]:
    return entry.run_uid, (entry.object_key.namespace, entry.run_name)
