"""The operator ends after any write, before or after it took effect: the run ends the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from runtime.small_planner import run_of, small_plan
from runtime.world import World
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.client import ApiError, Conflict, Unavailable
from vaportrail_operator.acting.endpoints import PODS, RUNS
from vaportrail_operator.planning.types import OperatorSettings
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ("team", "mnist")
STEPS = 40


class Crash(BaseException):
    """The process ends here."""


def fresh_operator(world: World) -> tuple[Reconciler, Lister]:
    """Return an operator that knows nothing yet."""
    queue: WorkQueue[Key] = WorkQueue(lambda: 0.0, Backoff(1.0, 1.0, lambda: 1.0))
    cache = Cache(lambda: 0.0, queue.add)
    applier = Applier(
        world,
        cache,
        now=lambda: NOW,
        token=lambda: "0" * 64,
        instance="test",
        send_event=lambda body: None,
    )
    lister = Lister(world, cache)
    reconciler = Reconciler(
        queue=queue,
        cache=cache,
        applier=applier,
        plan=small_plan,
        settings=OperatorSettings("operator", "collector"),
        kuberay=lambda: True,
        now=lambda: NOW,
        metrics=Metrics(),
        claims=Claims(world, "system/operator", clock=lambda: 0.0, now=lambda: NOW, live=list),
        sweep_of_gone=lambda key: asyncio.sleep(0, None),
    )
    return reconciler, lister


def kubelet(world: World) -> None:
    """Start what was made, then end it."""
    for raw in world.of(PODS):
        state = {"startedAt": "2026-01-02T03:05:00Z"}
        name = raw["spec"]["containers"][0]["name"]
        if raw.get("status"):
            ended = {"terminated": {**state, "exitCode": 0, "finishedAt": "2026-01-02T03:06:00Z"}}
            raw["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": name, "state": ended}]}
        else:
            raw["status"] = {
                "phase": "Running",
                "containerStatuses": [{"name": name, "state": {"running": state}}],
            }
        world.put(PODS, raw)


async def live(world: World) -> None:
    """Work until the run is over; a crash leaves."""
    reconciler, lister = fresh_operator(world)
    await lister.list_all()
    for step in range(STEPS):
        if step % 3 == 2:
            await lister.list_all()
        try:
            await reconciler.step(KEY)
        except (ApiError, Conflict):
            continue
        if world.status("mnist").get("phase") == "Succeeded":
            return
        if step % 2:
            kubelet(world)
    raise AssertionError(f"the run is not over: {world.status('mnist')} {world.calls}")


def writes_of_a_run() -> int:
    world = World()
    world.put(RUNS, run_of())
    asyncio.run(live(world))
    return len(world.calls)


WRITES = writes_of_a_run()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fault", [Crash, Unavailable])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_write_that_fails_or_ends_the_operator_changes_nothing_in_the_end(
    number: int, fault: type[BaseException], moment: str
) -> None:
    world = World()
    world.put(RUNS, run_of())
    world.calls.clear()
    count = 0

    def hook(call: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Crash if fault is Crash else Unavailable("no answer")

    setattr(world, moment, hook)
    with pytest.raises(Crash) if fault is Crash else nullcontext():
        asyncio.run(live(world))
    asyncio.run(live(world))

    made = Counter(call for call in world.calls if call.startswith("create"))
    assert world.status("mnist")["phase"] == "Succeeded"
    assert world.left() == []
    assert [number for call, number in made.items() if "RayCluster" in call or "Pod" in call] == [1, 1]


@pytest.mark.parametrize("cancelled_after", range(1, WRITES))
def test_a_run_that_is_cancelled_at_any_moment_leaves_nothing(cancelled_after: int) -> None:
    world = World()
    world.put(RUNS, run_of())
    world.calls.clear()

    def hook(call: str) -> None:
        if len(world.calls) == cancelled_after:
            raw = world.of(RUNS)[0]
            raw["spec"]["cancel"] = True
            world.put(RUNS, raw)

    world.after = hook
    asyncio.run(live(world))
    assert world.left() == []
    assert sum(call.startswith("create RayCluster") for call in world.calls) <= 1
