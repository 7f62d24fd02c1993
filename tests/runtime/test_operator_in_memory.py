"""The operator's parts together, on a world in memory: from the Lease to the last step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from runtime.small_planner import run_of, small_plan
from runtime.world import World
from vaportrail_operator.acting.client import Object
from vaportrail_operator.acting.endpoints import LEASES, PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint, Kind
from vaportrail_operator.planning.types import Observed, OperatorSettings, Plan
from vaportrail_operator.runtime.process import Operator
from vaportrail_operator.runtime.settings import Environment

ENVIRONMENT = Environment(
    settings=OperatorSettings("operator", "collector"),
    namespaces=(),
    log_level="INFO",
    port=0,
    namespace="system",
    identity="me",
    lease="operator",
)


def watching(world: World) -> Callable[[Any], Any]:
    """Return what watches the world, as `main` gives it to the operator."""

    def to(sink: Callable[[Kind, Object, bool], None]) -> Any:
        async def watch(kinds: frozenset[Kind], stop: asyncio.Event, connected: Callable[[], None]) -> None:
            def watcher(kind: str, raw: Object, gone: bool) -> None:
                if kind in kinds:
                    sink(Kind(kind), raw, gone)

            world.watchers.append(watcher)
            connected()
            await stop.wait()
            world.watchers.remove(watcher)

        return watch

    return to


class Scene:
    """An operator that works, and its world."""

    def __init__(
        self,
        plan: Callable[[Observed], Plan] = small_plan,
        world: World | None = None,
        environment: Environment = ENVIRONMENT,
    ) -> None:
        self.world = world or World()
        self.stop = asyncio.Event()
        self.operator = Operator(environment, self.world, plan, watching(self.world))
        self.task = asyncio.create_task(self.operator.run(self.stop))

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert not self.task.done(), await self.task
            await asyncio.sleep(0.005)

    def pod(self, phase: str, state: dict[str, Any]) -> None:
        (raw,) = self.world.of(PODS)
        raw["status"] = {"phase": phase, "containerStatuses": [{"name": "runner", "state": state}]}
        self.world.put(PODS, raw)


def in_time(work: Callable[[], Any], seconds: float = 30.0) -> None:
    async def main() -> None:
        async with asyncio.timeout(seconds):
            await work()

    asyncio.run(main())


def test_a_run_goes_through_its_phases_by_what_the_watches_say() -> None:
    async def work() -> None:
        scene = Scene()
        await scene.until(lambda: bool(scene.world.watchers))
        scene.world.put(RUNS, run_of())
        await scene.until(lambda: len(scene.world.of(PODS)) == 1)
        scene.pod("Running", {"running": {"startedAt": "2026-01-02T03:05:00Z"}})
        await scene.until(lambda: scene.world.status("mnist").get("phase") == "Running")
        scene.pod("Succeeded", {"terminated": {"exitCode": 0, "finishedAt": "2026-01-02T03:06:00Z"}})
        await scene.until(lambda: scene.world.status("mnist").get("phase") == "Succeeded")
        assert scene.world.left() == []
        scene.stop.set()
        assert await scene.task == 0
        assert scene.world.of(LEASES)[0]["spec"]["holderIdentity"] == ""

    in_time(work)


def test_what_was_there_before_the_operator_is_brought_on() -> None:
    async def work() -> None:
        scene = Scene()
        scene.world.put(RUNS, run_of())
        await scene.until(lambda: len(scene.world.of(PODS)) == 1)
        scene.stop.set()
        assert await scene.task == 0

    in_time(work)


def test_an_operator_works_although_one_of_its_namespaces_is_refused() -> None:
    async def work() -> None:
        world = World()
        world.refused = {(each.plural, "gone") for each in (PODS, SERVICES, RAY_CLUSTERS, RUNS)}
        world.put(RUNS, run_of())
        scene = Scene(world=world, environment=replace(ENVIRONMENT, namespaces=("gone", "team")))
        await scene.until(lambda: len(world.of(PODS)) == 1)
        scene.stop.set()
        assert await scene.task == 0

    in_time(work)


def test_an_operator_that_is_told_to_stop_before_it_has_the_lease_stops() -> None:
    async def work() -> None:
        scene = Scene()
        lease = {
            "metadata": {"name": "operator", "namespace": "system"},
            "spec": {"holderIdentity": "another"},
        }
        scene.world.put(LEASES, lease)
        await asyncio.sleep(0)
        scene.stop.set()
        assert await scene.task == 0
        assert scene.world.of(LEASES)[0]["spec"]["holderIdentity"] == "another"

    in_time(work)


@pytest.mark.slow
def test_an_operator_that_loses_the_lease_ends_with_an_error() -> None:
    async def work() -> None:
        scene = Scene()
        await scene.until(lambda: bool(scene.world.watchers))
        scene.world.of(LEASES)[0]["spec"]["holderIdentity"] = "another"
        assert await scene.task == 1

    in_time(work)


class Slow(World):
    """A world that makes objects only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        if endpoint is not LEASES:
            self.asked.set()
            await self.may.wait()
        return await super().create(endpoint, namespace, manifest)


def test_a_step_that_was_begun_is_finished_and_no_other_begun_when_told_to_stop() -> None:
    async def work() -> None:
        world = Slow()
        scene = Scene(world=world)
        world.put(RUNS, run_of("one"))
        await world.asked.wait()
        scene.stop.set()
        await asyncio.sleep(0.05)
        world.put(RUNS, run_of("two"))
        assert not scene.task.done()
        world.may.set()
        assert await scene.task == 0
        assert len(world.of(PODS)) == 1
        assert world.status("two") == {}

    in_time(work)
