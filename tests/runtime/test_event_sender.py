"""Events are sent beside the steps: bounded, one namespace after another, and worth no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from runtime.world import World
from vaportrail_operator.acting.client import ApiError, Forbidden, NamespaceTerminating, Object
from vaportrail_operator.acting.endpoints import EVENTS
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.event_sender import EventSender


class Hanging(World):
    """A world that takes no Events in one namespace."""

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        if namespace == "stuck":
            await asyncio.Event().wait()
        return await super().create(endpoint, namespace, manifest)


class Scene:
    def __init__(self, world: World) -> None:
        self.world = world
        self.dropped = 0
        self.sender = EventSender(world, asyncio.get_running_loop().time, self._drop)

    def _drop(self) -> None:
        self.dropped += 1

    def send(self, name: str, namespace: str = "team") -> None:
        self.sender.send({"metadata": {"name": name, "namespace": namespace}})

    @property
    def sent(self) -> list[str]:
        return [event["metadata"]["name"] for event in self.world.of(EVENTS)]


def run(work: Callable[[Scene], Coroutine[Any, Any, None]], world: World | None = None) -> None:
    async def main() -> None:
        scene = Scene(world or World())
        sending = asyncio.create_task(scene.sender.run())
        async with asyncio.timeout(20):
            await work(scene)
        sending.cancel()

    asyncio.run(main())


def test_the_same_event_is_sent_once() -> None:
    async def work(scene: Scene) -> None:
        scene.send("one")
        scene.send("one")
        await scene.sender.flush(5.0)
        scene.send("one")
        await scene.sender.flush(5.0)
        assert scene.world.calls == ["create Event/one"]
        assert scene.dropped == 0

    run(work)


def test_a_namespace_that_takes_no_events_holds_up_no_other() -> None:
    async def work(scene: Scene) -> None:
        for number in range(50):
            scene.send(f"stuck-{number}", "stuck")
        scene.send("one")
        while not scene.sent:
            await asyncio.sleep(0)
        assert scene.sent == ["one"]

    run(work, Hanging())


def test_what_finds_no_room_is_dropped_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def work(scene: Scene) -> None:
        for number in range(150):
            scene.send(f"stuck-{number}", "stuck")
        assert scene.dropped == 50
        # Its bound is its own.
        scene.send("one")
        assert scene.dropped == 50
        await scene.sender.flush(0.1)
        said = [record.getMessage() for record in caplog.records]
        assert said == [
            "Events are dropped: those of before wait for the API server",
            "100 Events were not sent",
        ]

    run(work, Hanging())


@pytest.mark.parametrize(
    ("error", "dropped"),
    [(Forbidden("no", status=403), 1), (NamespaceTerminating("it goes", status=403), 0)],
)
def test_what_is_refused_is_counted_unless_its_namespace_goes(error: ApiError, dropped: int) -> None:
    async def work(scene: Scene) -> None:
        def refuse(call: str) -> None:
            scene.world.before = lambda call: None
            raise error

        scene.world.before = refuse
        scene.send("one")
        scene.send("two")
        await scene.sender.flush(5.0)
        assert (scene.dropped, scene.sent) == (dropped, ["two"])

    run(work)
