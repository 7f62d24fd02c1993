"""Lives of schedules: the operator's joined parts on a world in which runs end by themselves.

Nothing waits: time goes on to the next moment at which anybody has anything to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.crd.messages import RUN

from runtime.joined_life import Crash
from runtime.played_operator import PlayedOperator
from runtime.played_watch import PlayedWatch
from runtime.world import START, World
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import RUNS, SCHEDULES
from vaportrail_operator.planning.types import Observed, Plan

__all__ = ["NAME", "ScheduleLife"]

NAME = "nightly"
_DOWN_SECONDS = 5.0
_ENDED = ("Succeeded", "Failed", "Cancelled")


def _left_alone(seen: Observed) -> Plan:
    """Plan nothing for a run: this world ends it."""
    return Plan(seen.run.status)


@dataclass
class ScheduleLife:
    """A world with one schedule, its runs, and operators that come and go.

    Attributes:
        takes: seconds that a run takes; None: until it is cancelled.
        phase: how runs end that nobody cancels.
        before_call: told each call that changes something, before it takes effect; may raise.
        after_call: the same, after it took effect.
        made: how often each call that makes something took effect.
        seen: the names of all runs that there ever were, in the order in which they were made.
        most_live: the most runs that were live at once.
    """

    takes: float | None = 5.0
    phase: str = "Succeeded"
    operators: int = 1
    before_call: Callable[[str], None] = lambda call: None
    after_call: Callable[[str], None] = lambda call: None
    before_read: Callable[[str], None] = lambda call: None
    world: World = field(default_factory=World)
    now: datetime = START
    ahead: float = 0.0
    errors: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    most_live: int = 0

    def __post_init__(self) -> None:
        self.world.now = lambda: self.now
        self._working: list[PlayedOperator] = []
        self._back_at = [0.0] * self.operators

    def seconds(self) -> float:
        """Return the seconds that have passed, by a clock that never jumps."""
        return (self.now - START).total_seconds()

    def create(self, **spec: Any) -> None:
        """Make the schedule, as a user does."""
        raw = {
            "metadata": {"name": NAME, "generation": 1},
            "spec": {"schedule": "* * * * *", "template": {"spec": RUN["spec"]}, **spec},
        }
        self.world.put(SCHEDULES, raw)

    def edit(self, **spec: Any) -> None:
        """Change the schedule's spec, as a user does."""
        self.world.edit(SCHEDULES, NAME, **spec)

    @property
    def schedule(self) -> Object:
        """The schedule."""
        return self.world.of(SCHEDULES)[0]

    @property
    def status(self) -> dict[str, Any]:
        """The schedule's status."""
        found: dict[str, Any] = self.schedule.get("status", {})
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Of how many ticks each became."""
        return dict(self.status.get("counts", {}))

    def condition(self, kind: str) -> dict[str, Any]:
        """Return a condition of the schedule."""
        found: dict[str, Any] = next(each for each in self.status["conditions"] if each["type"] == kind)
        return found

    def runs(self) -> list[str]:
        """Return the names of the runs that are there."""
        return sorted(each["metadata"]["name"] for each in self.world.of(RUNS))

    def end_operators(self, *, back_in: float | None) -> None:
        """End all operators without a word.

        Args:
            back_in: seconds until they are there again; None: not before `return_operators`.
        """
        for operator in self._working:
            operator.end()
        self._working = []
        self._back_at = [] if back_in is None else [self.seconds() + back_in] * self.operators

    def return_operators(self) -> None:
        """Start operators anew."""
        self._back_at = [self.seconds()] * self.operators

    def live(self, minutes: float) -> None:
        """Let so much time pass, with all that happens meanwhile."""
        asyncio.run(self._until(self.now + timedelta(minutes=minutes)))
        assert self.errors == []

    async def _until(self, end: datetime) -> None:
        while True:
            for _ in [each for each in self._back_at if each <= self.seconds()]:
                watch = PlayedWatch(self.world, self.seconds)
                self._working.append(PlayedOperator(self, watch, _left_alone))
            self._back_at = [each for each in self._back_at if each > self.seconds()]
            for operator in list(self._working):
                try:
                    await operator.turn()
                except Crash:
                    operator.end()
                    self._working.remove(operator)
                    self._back_at.append(self.seconds() + _DOWN_SECONDS)
            self._let_runs_end()
            if self.now >= end:
                return
            self._pass_time(end)

    def _let_runs_end(self) -> None:
        live = 0
        for raw in self.world.of(RUNS):
            name = raw["metadata"]["name"]
            if name not in self.seen:
                self.seen.append(name)
            phase = self._phase_of(raw)
            if phase and raw.get("status", {}).get("phase") not in _ENDED:
                raw["status"] = {"phase": phase, "completionTime": self.world.timestamp()}
                self.world.put(RUNS, raw)
            live += not phase and not raw["spec"].get("cancel")
        self.most_live = max(self.most_live, live)

    def _phase_of(self, raw: Object) -> str:
        if raw["spec"].get("cancel"):
            return "Cancelled"
        made = datetime.fromisoformat(raw["metadata"]["creationTimestamp"])
        over = self.takes is not None and (self.now - made).total_seconds() >= self.takes
        return self.phase if over else ""

    def _pass_time(self, end: datetime) -> None:
        now = self.seconds()
        moments = [each for operator in self._working for each in operator.moments()]
        moments += [*self._back_at, (end - START).total_seconds()]
        rest = min((each for each in moments if each > now), default=now + 1.0) - now
        self.now += timedelta(seconds=max(min(rest, 1.0 if self.takes else 60.0), 0.001))
