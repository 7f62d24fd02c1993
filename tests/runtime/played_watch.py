"""The watches of an operator on the world in memory: each change in its order, or as a fault has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.world import World
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SCHEDULES, SERVICES
from vaportrail_operator.planning.kinds import LABELLED, Kind
from vaportrail_operator.planning.types import RUN_UID_LABEL

__all__ = ["PlayedWatch", "Told"]

_KINDS = frozenset(each.kind for each in (SCHEDULES, RUNS, PODS, SERVICES, RAY_CLUSTERS))
_DELAY = 0.02


@dataclass(frozen=True, slots=True)
class Told:
    """What a watch tells."""

    at: float
    kind: Kind
    raw: Object
    gone: bool


class PlayedWatch:
    """What one operator's watches tell it, and when.

    Args:
        world: that is watched.
        clock: monotonic seconds.
        change: given each that would be told, with its number from 1, returns what is told in its place.
    """

    def __init__(
        self,
        world: World,
        clock: Callable[[], float],
        change: Callable[[int, Told], list[Told]] = lambda number, told: [told],
    ) -> None:
        self._world, self._clock, self._change = world, clock, change
        self._labelled: set[tuple[str, str, str]] = set()
        self._waiting: list[Told] = []
        self._held: dict[Kind, float] = {}
        self.count = 0

    def begin(self) -> None:
        """Watch from now on."""
        self._waiting.clear()
        self._world.watchers.append(self._hear)

    def end(self) -> None:
        """Watch no more."""
        if self._hear in self._world.watchers:
            self._world.watchers.remove(self._hear)

    def due(self) -> list[Told]:
        """Return what is told by now, in the order in which it comes."""
        now = self._clock()
        due = sorted((each for each in self._waiting if each.at <= now), key=lambda each: each.at)
        self._waiting = [each for each in self._waiting if each.at > now]
        return due

    def next(self) -> float | None:
        """Return when something is told next."""
        return min((each.at for each in self._waiting), default=None)

    def hold(self, kind: Kind, until: float) -> None:
        """Have all that is told of a kind come no earlier: its connection is slow."""
        self._held[kind] = until

    def _hear(self, kind: str, raw: Object, gone: bool) -> None:
        if kind not in _KINDS:
            return
        watched = Kind(kind)
        place = (kind, raw["metadata"]["namespace"], raw["metadata"]["name"])
        if watched in LABELLED:
            # A selector's watch tells of what does not fit any more as of what is gone.
            fits = RUN_UID_LABEL in (raw["metadata"].get("labels") or {})
            if not fits and place not in self._labelled:
                return
            gone = gone or not fits
            (self._labelled.discard if gone else self._labelled.add)(place)
        self.count += 1
        at = max(self._clock() + _DELAY, self._held.get(watched, 0.0))
        self._waiting += self._change(self.count, Told(at, watched, raw, gone))
