"""Which live runs of a namespace hold pods, and which of them wait for one and the same quota."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable

from vaportrail_operator.planning.types import Claimant, Rivals

__all__ = ["Room"]

_Place = tuple[str, str]
"""A namespace, and a quota in it."""


class Room:
    """What the last look at each run told of it; whether one gives way, the plan says.

    A question costs the same however many runs of a namespace wait.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Claimant] = {}
        self._waiting: defaultdict[_Place, list[Claimant]] = defaultdict(list)
        self._holding: defaultdict[_Place, list[Claimant]] = defaultdict(list)
        self._holders: Counter[str] = Counter()
        self._unseen: set[tuple[str, str]] = set()
        self._unseen_in: Counter[str] = Counter()

    def expect(self, keys: Iterable[tuple[str, str]]) -> None:
        """Take in that these runs are live, of which nothing is known yet: an operator has just begun.

        Until each of a namespace was looked at, none of it seems to stand in another's way.
        """
        self._unseen = set(keys)
        self._unseen_in = Counter(namespace for namespace, _ in self._unseen)

    def looked(self, key: tuple[str, str]) -> None:
        """Take in that a run was looked at, or is gone."""
        if key in self._unseen:
            self._unseen.discard(key)
            self._unseen_in[key[0]] -= 1

    def note(self, key: tuple[str, str], claimant: Claimant | None) -> None:
        """Take in what a run is to the quotas of its namespace.

        Args:
            key: its namespace and name.
            claimant: what it is; None: it is gone, or over.
        """
        before = self._known.get(key)
        if before == claimant:
            return
        namespace = key[0]
        if before is not None:
            del self._known[key]
            self._holders[namespace] -= before.holds
            if not self._holders[namespace]:
                del self._holders[namespace]
            _take_out(self._waiting, (namespace, before.quota), before)
            if before.holds:
                _take_out(self._holding, (namespace, before.quota), before)
        if claimant is not None:
            self._known[key] = claimant
            self._holders[namespace] += claimant.holds
            insort(self._waiting[namespace, claimant.quota], claimant)
            if claimant.holds:
                insort(self._holding[namespace, claimant.quota], claimant)

    def rivals(self, namespace: str, quota: str) -> Rivals | None:
        """Return who waits for a quota; None where nobody does, or that is not known yet."""
        if self._unseen_in[namespace]:
            return None
        place = (namespace, quota)
        waiting, holding = self._waiting.get(place), self._holding.get(place) or []
        if not quota or not waiting:
            return None
        return Rivals(
            quota=quota,
            first=waiting[0],
            last_holding=holding[-1] if holding else None,
            others_hold=self._holders[namespace] > len(holding),
        )

    def __len__(self) -> int:
        return len(self._known)


def _take_out(places: defaultdict[_Place, list[Claimant]], place: _Place, claimant: Claimant) -> None:
    there = places[place]
    del there[bisect_left(there, claimant)]
    if not there:
        del places[place]
