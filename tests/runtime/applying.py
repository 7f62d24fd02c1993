"""A world with one run in it, and what carries out plans there."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

from runtime.small_planner import base, child, pod, run_of
from runtime.world import World
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.observation.entries import entry_of
from vaportrail_operator.observation.runs import observed_run
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Action, Plan
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.event_sender import EventSender

__all__ = ["Scene"]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROVISIONING = PipelineRunStatus(phase=Phase.PROVISIONING)


class Scene:
    """A world with one run in it, and what carries out plans there."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.cache = Cache(lambda: 0.0, lambda key: None)
        tokens = (f"token-{number}" for number in itertools.count(1))
        self.applier = Applier(
            self.world,
            self.cache,
            now=lambda: NOW,
            token=lambda: next(tokens),
            instance="test",
            send_event=lambda body: self.sender.send(body),
        )
        self.world.put(RUNS, run_of() | {"status": {"phase": "Provisioning"}})
        self.run = self.read()
        self.base = base("mnist", self.run.metadata.uid)
        self.world.calls.clear()

    def read(self) -> PipelineRun:
        """Take the run in as it is now."""
        raw = self.world.of(RUNS)[0]
        entry = entry_of(Kind.RUN, raw)
        assert entry is not None
        self.cache.put(entry, from_watch=True)
        return observed_run(raw).run

    def apply(self, *actions: Action, status: PipelineRunStatus = PROVISIONING, **more: Any) -> bool:
        return asyncio.run(self._apply(Plan(status, actions, **more)))

    async def _apply(self, plan: Plan) -> bool:
        """Apply a plan, and let its Events be sent."""
        self.sender = EventSender(self.world, asyncio.get_running_loop().time, lambda: None)
        sending = asyncio.create_task(self.sender.run())
        try:
            return await self.applier.apply(self.run, plan)
        finally:
            await self.sender.flush(5.0)
            sending.cancel()

    def pod(self, component: str = "runner", **more: Any) -> dict[str, Any]:
        name = f"{self.base}-{component}"
        return pod(name, "mnist", self.run.metadata.uid, component, **more)

    def cluster(self) -> dict[str, Any]:
        return child("ray.io/v1", "RayCluster", self.base, "mnist", self.run.metadata.uid)
