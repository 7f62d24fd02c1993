"""Who works, and when: caches first, then the Lease, then steps; and a warm standby."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from runtime.http_world import HttpWorld, served
from runtime.small_planner import run_of, small_plan
from runtime.test_operator_in_memory import ENVIRONMENT, in_time, watching
from runtime.world import World
from vaportrail_operator.acting.client import Client, Object
from vaportrail_operator.acting.endpoints import LEASES, PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.fenced_client import FencedClient
from vaportrail_operator.runtime.lease import LeaseLost
from vaportrail_operator.runtime.process import Operator


class Pod:
    """An operator's process, which can be killed: then nothing of it is renewed or given back."""

    def __init__(self, world: World, client: Client | None = None, *, name: str = "me", lease: int = 15):
        self.stop = asyncio.Event()
        environment = replace(ENVIRONMENT, identity=name)
        operator = Operator(environment, client or world, small_plan, watching(world), lease_seconds=lease)
        self.task = asyncio.create_task(operator.run(self.stop))

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert not self.task.done(), await self.task
            await asyncio.sleep(0.005)

    async def end(self) -> int:
        self.stop.set()
        return await self.task

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def holder(world: World) -> str:
    leases = {lease["metadata"]["name"]: lease["spec"]["holderIdentity"] for lease in world.of(LEASES)}
    return str(leases.get("operator"))


def test_first_lists_that_take_longer_than_the_lease_lasts_do_not_end_the_operator() -> None:
    async def work() -> None:
        http = HttpWorld()
        http.slow_lists = {PODS.plural: 3.5}
        http.world.put(RUNS, run_of())
        async with served(http) as client:
            pod = Pod(http.world, client, lease=3)
            await pod.until(lambda: len(http.world.of(PODS)) == 1)
            assert await pod.end() == 0

    in_time(work)


def test_nothing_is_changed_before_everything_was_listed() -> None:
    async def work() -> None:
        http = HttpWorld()
        http.slow_lists = {RUNS.plural: 0.2}
        http.world.put(RUNS, run_of())
        listed: list[str] = []
        answers = http.world.list

        async def listing(endpoint: Endpoint, namespace: str | None, selector: str = "") -> Any:
            assert http.world.calls == [] or len(listed) >= 5
            listed.append(endpoint.plural)
            return await answers(endpoint, namespace, selector)

        http.world.list = listing  # type: ignore[method-assign]
        async with served(http) as client:
            pod = Pod(http.world, client)
            await pod.until(lambda: len(http.world.of(PODS)) == 1)
            assert await pod.end() == 0
        assert http.world.calls[0] == "create Lease/operator"

    in_time(work)


class Slow(World):
    """A world in which a pod takes a while to be made; tells when one is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        if endpoint is PODS:
            self.asked.set()
            await self.may.wait()
        return await super().create(endpoint, namespace, manifest)


def test_the_lease_is_renewed_while_a_step_takes_longer_than_it_lasts() -> None:
    async def work() -> None:
        world = Slow()
        world.put(RUNS, run_of())
        pod = Pod(world, lease=3)
        await world.asked.wait()
        # Longer than the Lease lasts.
        renewals = len(world.calls)
        await pod.until(lambda: world.calls[renewals:].count("replace Lease/operator") >= 6)
        world.may.set()
        await pod.until(lambda: len(world.of(PODS)) == 1)
        assert await pod.end() == 0

    in_time(work)


def test_a_standby_takes_over_from_a_leader_that_was_killed_by_what_it_knows_already() -> None:
    async def work() -> None:
        world = World()
        first = Pod(world, name="first", lease=3)
        await first.until(lambda: holder(world) == "first")
        second = Pod(world, name="second", lease=3)
        await second.until(lambda: len(world.watchers) == 2)
        # It knows all there is: nothing has to be listed first, and nothing can be.
        world.refused = {(kind.plural, None) for kind in (RUNS, PODS, SERVICES, RAY_CLUSTERS)}
        await first.kill()
        # What came while nobody led.
        world.put(RUNS, run_of())
        await second.until(lambda: len(world.of(PODS)) == 1)
        assert holder(world) == "second"
        assert await second.end() == 0

    in_time(work)


def test_a_standby_changes_nothing_and_takes_over_at_once_from_a_leader_that_ends() -> None:
    async def work() -> None:
        world = World()
        first = Pod(world, name="first")
        await first.until(lambda: holder(world) == "first")
        second = Pod(world, name="second")
        await second.until(lambda: len(world.watchers) == 2)
        world.put(RUNS, run_of())
        await first.until(lambda: len(world.of(PODS)) == 1)
        assert len([call for call in world.calls if call.startswith("create Pod")]) == 1
        assert await first.end() == 0
        await second.until(lambda: holder(world) == "second")
        assert await second.end() == 0

    in_time(work)


def test_a_step_that_goes_on_after_the_lease_lapsed_changes_nothing_more() -> None:
    held = True
    world = World()
    client = FencedClient(world, lambda: 60.0 if held else 0.0)

    async def step() -> None:
        nonlocal held
        await client.create(PODS, "team", {"metadata": {"name": "one"}})
        # As if the process had been stopped here, for longer than the Lease lasts.
        held = False
        pod = await client.get(PODS, "team", "one")
        for change in (
            lambda: client.create(PODS, "team", {"metadata": {"name": "two"}}),
            lambda: client.replace(PODS, "team", pod),
            lambda: client.replace_status(RUNS, "team", "mnist", "1", {}),
            lambda: client.delete(PODS, "team", "one"),
        ):
            with pytest.raises(LeaseLost):
                await change()

    asyncio.run(step())
    assert world.calls == ["create Pod/one"]


class Waiting(World):
    """A world whose creations wait: their connection is not there yet."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        self.begun.set()
        await self.go_on.wait()
        return await super().create(endpoint, namespace, manifest)


def test_a_call_that_is_under_way_when_the_lease_lapses_is_cut_off() -> None:
    async def work() -> None:
        world, loop = Waiting(), asyncio.get_running_loop()
        lapses = loop.time() + 0.05
        client = FencedClient(world, lambda: lapses - loop.time())
        with pytest.raises(LeaseLost, match="cut off"):
            await client.create(PODS, "team", {"metadata": {"name": "one"}})
        world.go_on.set()
        await asyncio.sleep(0)
        assert world.of(PODS) == []

    in_time(work)


def test_a_call_that_takes_long_goes_on_as_long_as_the_lease_is_renewed() -> None:
    async def work() -> None:
        world, asked = Waiting(), 0

        def rest() -> float:
            nonlocal asked
            asked += 1
            if asked == 5:
                world.go_on.set()
            return 0.01

        await FencedClient(world, rest).create(PODS, "team", {"metadata": {"name": "one"}})
        assert len(world.of(PODS)) == 1

    in_time(work)
