"""Overlapping installations: one brings on the runs of a namespace, and says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.small_planner import run_of, small_plan
from runtime.test_operator_in_memory import ENVIRONMENT, in_time, watching
from runtime.world import World
from vaportrail_operator.acting.client import ApiError, Forbidden, NamespaceTerminating, Object, Unavailable
from vaportrail_operator.acting.endpoints import LEASES, PODS, RUNS
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.claims import CLAIM, Claims
from vaportrail_operator.runtime.process import Operator
from vaportrail_operator.runtime.unserved import ANNOTATION, Unserved

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Scene:
    """Two installations that serve the same namespaces."""

    def __init__(self) -> None:
        self.world = World()
        self.time = 0.0
        self.live: set[str] = {"team"}
        self.ours, self.theirs = self.claims("system/ours"), self.claims("other/theirs")

    def claims(self, installation: str, duration: int = 60) -> Claims:
        return Claims(
            self.world,
            installation,
            clock=lambda: self.time,
            now=lambda: NOW,
            live=lambda: self.live,
            duration=duration,
        )

    def renew(self) -> None:
        """Act as one that renewed its claim: what others see is that it changes."""
        for lease in self.world.of(LEASES):
            lease["spec"]["renewTime"] = f"renewed at {self.time}"

    def asked(self) -> int:
        return len(self.world.calls)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(main())


def test_the_first_has_a_namespace_and_the_second_has_another(scene: Scene) -> None:
    async def work() -> None:
        assert await scene.ours.holds("team")
        assert not await scene.theirs.holds("team")
        assert await scene.theirs.holds("another")
        assert scene.theirs.others == {"team": "system/ours"}
        assert scene.ours.others == {}

    run(work())


def test_a_pod_of_the_same_installation_goes_on_at_once(scene: Scene) -> None:
    async def work() -> None:
        assert await scene.ours.holds("team")
        assert await scene.claims("system/ours").holds("team")

    run(work())


def test_that_it_is_anothers_is_said_once_and_asked_again_seldom(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        await scene.ours.holds("team")
        gets = Counter[str]()
        get = scene.world.get

        async def counting(*arguments: Any) -> Any:
            gets["all"] += 1
            return await get(*arguments)

        scene.world.get = counting  # type: ignore[method-assign]
        for _ in range(100):
            scene.time += 0.5
            scene.renew()
            assert not await scene.theirs.holds("team")
        assert gets["all"] <= 5

    run(work())
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("runs in namespace team are left to another installation, system/ours")


def test_a_claim_that_is_not_renewed_is_taken_after_its_duration(scene: Scene) -> None:
    async def work() -> float:
        await scene.ours.holds("team")
        while not await scene.theirs.holds("team"):
            scene.time += 1.0
        assert not await scene.ours.holds("team")
        return scene.time

    assert 60.0 < run(work()) <= 76.0


@pytest.mark.parametrize(
    ("error", "held"),
    [(NamespaceTerminating("it goes", status=403), True), (Forbidden("no", status=403), None)],
)
def test_a_namespace_that_goes_needs_no_claim_and_a_right_that_is_missing_is_an_error(
    scene: Scene, error: ApiError, held: bool | None
) -> None:
    def refuse(call: str) -> None:
        raise error

    scene.world.before = refuse
    if held is None:
        with pytest.raises(type(error)):
            run(scene.ours.holds("team"))
    else:
        assert run(scene.ours.holds("team")) is held


def test_claims_are_renewed_while_runs_live_and_lapse_without_a_call_when_none_does() -> None:
    async def work() -> None:
        scene = Scene()
        scene.live = {"team", "broken"}
        claims = scene.claims("system/ours", duration=1)
        for namespace in ("team", "broken", "done"):
            assert await claims.holds(namespace)
        del scene.world.objects["leases", "broken", CLAIM]
        scene.world.calls.clear()

        def refuse(call: str) -> None:
            if call.startswith("create"):
                raise Unavailable("no answer")

        scene.world.before = refuse
        keeping = asyncio.create_task(claims.keep())
        while len(scene.world.calls) < 3:
            await asyncio.sleep(0.005)
        keeping.cancel()
        assert set(scene.world.calls) == {f"replace Lease/{CLAIM}"}
        versions = {
            lease["metadata"]["namespace"]: int(lease["metadata"]["resourceVersion"])
            for lease in scene.world.of(LEASES)
        }
        assert versions["team"] > versions["done"]

    run(work())


class Noting(World):
    """A client of another world's objects that notes whose runs it changed."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.__dict__.update({name: value for name, value in vars(world).items() if name != "calls"})
        self._world = world
        self.namespaces: set[str] = set()

    def put(self, endpoint: Endpoint, raw: Object) -> Object:
        return self._world.put(endpoint, raw)

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        self.namespaces.add(namespace)
        return await self._world.replace_status(endpoint, namespace, name, version, status)


def test_of_two_installations_one_brings_a_namespaces_runs_on() -> None:
    async def work() -> None:
        world, stop = World(), asyncio.Event()
        clients = [Noting(world), Noting(world)]
        tasks = []
        for number, client in enumerate(clients):
            environment = replace(ENVIRONMENT, namespace=f"system-{number}", identity=f"pod-{number}")
            operator = Operator(environment, client, small_plan, watching(world))
            tasks.append(asyncio.create_task(operator.run(stop)))
        while len(world.watchers) < 2:
            await asyncio.sleep(0.005)
        for namespace in ("team-a", "team-b"):
            for number in range(20):
                run = run_of(f"run-{number}")
                run["metadata"]["namespace"] = namespace
                world.put(RUNS, run)
        while len(world.of(PODS)) < 40:
            await asyncio.sleep(0.005)
        stop.set()
        assert await asyncio.gather(*tasks) == [0, 0]
        one, other = (client.namespaces for client in clients)
        assert one | other == {"team-a", "team-b"}
        assert one & other == set()

    in_time(work)


def unserved(live: dict[str, int], *served: str) -> Unserved:
    return Unserved(served, lambda: live, "system/operator")


def test_a_namespace_that_is_not_served_any_more_is_named_with_its_live_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = unserved({"team-a": 2, "team-b": 1}, "team-a", "team-b").annotated({"theirs": "kept"})
    assert before == {"theirs": "kept", ANNOTATION: '{"team-a": 2, "team-b": 1}'}
    after = unserved({"team-b": 1}, "team-b")
    assert after.annotated(before) == before
    assert after.annotated(before) == before
    assert after.runs == {"team-a": 2}
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("namespace team-a is not served any more, and 2 of its runs had not ended")


@pytest.mark.parametrize("served", [("team-a", "team-b"), ()])
def test_a_namespace_that_is_served_again_is_as_it_is(served: tuple[str, ...]) -> None:
    again = unserved({}, *served)
    assert again.annotated({ANNOTATION: '{"team-a": 2}'}) == {}
    assert again.runs == {}


def test_a_note_that_somebody_takes_away_is_gone() -> None:
    found = unserved({}, "team-b")
    found.annotated({ANNOTATION: '{"team-a": 2}'})
    assert found.annotated({}) == {}
    assert found.runs == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"team-a": "many"}', "[" * 10_000])
def test_a_note_that_somebody_else_wrote_says_nothing(text: str) -> None:
    found = unserved({}, "team-b")
    assert found.annotated({ANNOTATION: text}) == {}


def test_an_operator_says_which_runs_its_predecessor_left_in_a_namespace_that_it_does_not_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def one(world: World, condition: Callable[[], bool], *namespaces: str) -> None:
        stop = asyncio.Event()
        environment = replace(ENVIRONMENT, namespaces=namespaces)
        task = asyncio.create_task(Operator(environment, world, small_plan, watching(world)).run(stop))
        while not condition():
            assert not task.done(), await task
            await asyncio.sleep(0.005)
        stop.set()
        assert await task == 0

    async def work() -> None:
        world = World()
        world.put(RUNS, run_of())
        await one(world, lambda: len(world.of(PODS)) == 1, "team", "team-b")
        assert "is not served any more" not in caplog.text
        await one(world, lambda: "namespace team is not served any more, and 1 of" in caplog.text, "team-b")

    in_time(work)
