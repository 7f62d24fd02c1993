"""One tenant's trouble is not another's: runs that wait for what is slow or full hold up nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from runtime.small_planner import run_of
from runtime.test_operator_in_memory import Scene, in_time
from runtime.world import World
from vaportrail_operator.acting.client import Forbidden, Object, Unavailable, WebhookUnanswered
from vaportrail_operator.acting.endpoints import EVENTS, PODS, RUNS
from vaportrail_operator.planning.kinds import Endpoint

Trouble = Callable[[], Awaitable[None]]
STUCK = 400
SHARE = 8
"""Of one namespace, of the steps that are taken at a time."""
AT_MOST = 5.0


class Troubled(World):
    """A world in which one namespace is in trouble.

    Attributes:
        troubles: what befalls a creation in that namespace, by kind.
        in_trouble: how many are in trouble `now`, were in the end `ever`, and at a time at `most`.
        first_pod: when the first pod of another namespace was made.
    """

    def __init__(self, troubles: Mapping[Endpoint, Trouble]) -> None:
        super().__init__()
        self.troubles = troubles
        self.in_trouble = Counter[str]()
        self.first_pod = 0.0

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        if namespace == "stuck" and endpoint in self.troubles:
            self.in_trouble["now"] += 1
            self.in_trouble["most"] = max(self.in_trouble["most"], self.in_trouble["now"])
            try:
                self.in_trouble["ever"] += 1
                await self.troubles[endpoint]()
            finally:
                self.in_trouble["now"] -= 1
        if endpoint is PODS and namespace == "team" and not self.first_pod:
            self.first_pod = time.monotonic()
        return await super().create(endpoint, namespace, manifest)


async def webhook_that_times_out() -> None:
    await asyncio.sleep(10.0)
    raise WebhookUnanswered("failed calling webhook: context deadline exceeded", status=500)


async def quota() -> None:
    raise Forbidden("exceeded quota: compute", status=403)


async def events_that_hang() -> None:
    await asyncio.sleep(30.0)
    raise Unavailable("no answer")


TROUBLES: dict[str, tuple[Mapping[Endpoint, Trouble], int]] = {
    "a webhook that times out": ({PODS: webhook_that_times_out}, SHARE),
    "a quota that is used up": ({PODS: quota}, STUCK),
    "a quota that is used up, and Events that are not taken": (
        {PODS: quota, EVENTS: events_that_hang},
        STUCK,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_another_tenants_first_pod_does_not_wait_behind_400_runs(
    trouble: str, record_property: Callable[[str, object], None]
) -> None:
    async def work() -> None:
        troubles, enough = TROUBLES[trouble]
        world = Troubled(troubles)
        for number in range(STUCK):
            run = run_of(f"stuck-{number}")
            run["metadata"]["namespace"] = "stuck"
            world.put(RUNS, run)
        scene = Scene(world=world)
        await scene.until(lambda: world.in_trouble["ever"] >= enough)
        asked = time.monotonic()
        world.put(RUNS, run_of("other"))
        await scene.until(lambda: world.first_pod > 0.0)
        seconds = world.first_pod - asked
        record_property("first_pod_behind_400_stuck_s", round(seconds, 3))
        print(f"first_pod_behind_400_stuck_s {seconds:.3f} ({trouble})")
        assert seconds <= AT_MOST
        assert world.in_trouble["most"] <= SHARE + 1
        scene.task.cancel()
        await asyncio.gather(scene.task, return_exceptions=True)

    in_time(work, seconds=180.0)


@pytest.mark.slow
def test_a_refused_run_goes_on_when_a_pod_of_its_namespace_is_gone() -> None:
    async def work() -> None:
        world = World()
        refusals = 0

        def refuse(call: str) -> None:
            nonlocal refusals
            if call.startswith("create Pod/waits") and full:
                refusals += 1
                raise Forbidden("exceeded quota: compute", status=403)

        full = True
        world.before = refuse
        world.put(RUNS, run_of("first"))
        world.put(RUNS, run_of("waits"))
        scene = Scene(world=world)
        # By now it waits for four seconds or more.
        await scene.until(lambda: refusals == 4)
        (there,) = world.of(PODS)
        full = False
        begun = time.monotonic()
        world.remove(PODS, there["metadata"]["name"])
        await scene.until(lambda: any("waits" in pod["metadata"]["name"] for pod in world.of(PODS)))
        assert time.monotonic() - begun < 2.0
        scene.stop.set()
        assert await scene.task == 0

    in_time(work)
