"""A life of a run: real planner, applier, cache, queue and lists on a world that others move, too.

Nothing waits: time goes on to the next moment at which anybody has anything to do. So a life of hours
takes some milliseconds, and takes the same way each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runtime.played_cluster import PlayedCluster
from runtime.played_operator import PlayedOperator
from runtime.played_watch import PlayedWatch
from runtime.world import START, World
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import PODS, RUNS

__all__ = ["KEY", "Crash", "Life"]

KEY = ("team", "mnist")
_TERMINAL = ("Succeeded", "Failed", "Cancelled")
_TURNS = 1500
_AFTER = 1300.0
"""Seconds that are lived after the end: what is left is looked for each 300, and removed after 600."""


class Crash(BaseException):
    """The operator's process ends here."""


@dataclass
class Life:
    """A world in which one run lives, and the operator that brings it on.

    Attributes:
        world: the objects.
        outcome: what the runner and the sealer say; None: the runner goes on until it is told to end.
        now: the time of the API server and of the nodes.
        disturb: is called at each turn; for what strangers and users do.
        operators: how many work at a time: one, but where an operator does not know that it lost its Lease.
        ahead: seconds that the operators' clock is ahead of the API server's.
        watches: gives each operator its watch.
        before_call: told each call that changes something, before it takes effect; may raise.
        after_call: the same, after it took effect.
        before_read: told each other call.
        down_seconds: for how long nobody works after an operator ended.
    """

    world: World = field(default_factory=World)
    outcome: Outcome | None = Outcome.SUCCEEDED
    now: datetime = START
    disturb: Callable[[Life], None] = lambda life: None
    operators: int = 1
    ahead: float = 0.0
    watches: Callable[[Life], PlayedWatch] = lambda life: PlayedWatch(life.world, life.seconds)
    before_call: Callable[[str], None] = lambda call: None
    after_call: Callable[[str], None] = lambda call: None
    before_read: Callable[[str], None] = lambda call: None
    down_seconds: float = 5.0
    cluster: PlayedCluster = field(init=False)
    errors: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    made: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.now = lambda: self.now
        self.world.collects = False
        self.cluster = PlayedCluster(self.world, self.outcome)
        self._working: list[PlayedOperator] = []
        self._back_at: list[float] = []
        self._moves_at: float | None = None
        self._seen = 0

    def seconds(self) -> float:
        """Return the seconds that have passed, by a clock that never jumps."""
        return (self.now - START).total_seconds()

    @property
    def run(self) -> Object | None:
        """The run; None where it is gone."""
        return self.world.objects.get((RUNS.plural, *KEY))

    @property
    def status(self) -> dict[str, Any]:
        """The run's status; empty where it is gone."""
        return dict((self.run or {}).get("status") or {})

    @property
    def phase(self) -> str:
        """The run's phase; `gone` where it is."""
        return str(self.status.get("phase", "")) if self.run else "gone"

    @property
    def uid(self) -> str:
        """The run's uid."""
        return str(self.world.of(RUNS)[0]["metadata"]["uid"])

    @property
    def base(self) -> str:
        """What the names of the run's objects begin with."""
        return f"{KEY[1]}-{self.uid[:8]}"

    def own_pods(self, component: str) -> list[Object]:
        """Return the pods that the operator or KubeRay made."""
        return self.cluster.pods(component)

    def pod(self, component: str) -> Object | None:
        """Return the one pod of a component; None where there is none."""
        return next(iter(self.own_pods(component)), None)

    def take(self, component: str) -> None:
        """Take a pod away, without a word."""
        for raw in self.own_pods(component):
            self.world.remove(PODS, raw["metadata"]["name"])

    def play(self, after: float = _AFTER) -> None:
        """Live until the run has ended, and a while on.

        Raises:
            AssertionError: it did not end.
        """
        asyncio.run(self.until_over(after))

    async def until_over(self, after: float = 0.0) -> None:
        """The same, from within a loop."""
        self._working = []
        self._back_at = [self.seconds()] * self.operators
        over_at: float | None = None
        for _ in range(_TURNS):
            self._start_those_that_are_due()
            self.disturb(self)
            await self._let_operators_work()
            self._let_cluster_move()
            over = self.phase in _TERMINAL or (self.phase == "gone" and not self.world.left())
            over_at = (self.seconds() if over_at is None else over_at) if over else None
            if over_at is not None and self.seconds() >= over_at + after:
                return
            self._pass_time()
        raise AssertionError(f"the run is not over: {self.status} {self.world.calls[-20:]}")

    async def step(self) -> float | None:
        """Have an operator that knows nothing take one step; returns when it wants to take the next."""
        return await PlayedOperator(self, self.watches(self)).step(KEY)

    def let_pass(self, seconds: int) -> None:
        """Let time pass, and others move, while an operator waits for a call."""
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            self.disturb(self)
            self.cluster.move()

    def _start_those_that_are_due(self) -> None:
        due = [each for each in self._back_at if each <= self.seconds()]
        self._back_at = [each for each in self._back_at if each > self.seconds()]
        for _ in due:
            self._working.append(PlayedOperator(self, self.watches(self)))

    async def _let_operators_work(self) -> None:
        for operator in list(self._working):
            try:
                await operator.turn()
            except Crash:
                operator.end()
                self._working.remove(operator)
                self._back_at.append(self.seconds() + self.down_seconds)

    def _let_cluster_move(self) -> None:
        now, grace = self.seconds(), self.cluster.next_grace
        if self._moves_at is not None and self._moves_at <= now:
            self._moves_at = None
            self.cluster.move()
            self.disturb(self)
        if self._moves_at is None and self.world.version != self._seen:
            self._moves_at = now + 1.0
        elif self._moves_at is None and grace:
            self._moves_at = max(now, (grace - START).total_seconds())
        self._seen = self.world.version

    def _pass_time(self) -> None:
        now = self.seconds()
        moments = [each for operator in self._working for each in operator.moments()]
        moments += [*self._back_at, *([] if self._moves_at is None else [self._moves_at])]
        rest = min((each for each in moments if each > now), default=now + 60.0) - now
        self.now += timedelta(seconds=min(max(rest, 0.001), 60.0))
