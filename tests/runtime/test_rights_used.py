"""What the operator may do is what it does: no call lacks its right, and no right lacks a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from runtime.joined_life import KEY, Crash, Life
from runtime.schedule_life import ScheduleLife
from runtime.small_planner import run_of
from runtime.world import World
from vaportrail_operator.acting.client import Listing, Object
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.acting.events import event_of
from vaportrail_operator.api.rights import rights
from vaportrail_operator.observation.runs import observed_run
from vaportrail_operator.planning.children.table import CHILDREN
from vaportrail_operator.planning.kinds import ENDPOINTS, WATCHED, Endpoint, Kind
from vaportrail_operator.planning.types import KubernetesEvent
from vaportrail_operator.runtime.claims import CLAIM, Claims
from vaportrail_operator.runtime.event_sender import EventSender

Asked = set[tuple[str, str, str]]
ONLY_CHECKED = {
    ("vaportrail.dev", f"{plural}/finalizers", "update") for plural in ("pipelineruns", "pipelineschedules")
}
"""What the API server asks for as an owner is named, and no call is made of."""


class RecordingWorld(World):
    """A world that knows which rights its calls needed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Asked = set()

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        self._note(endpoint, "get")
        return await super().get(endpoint, namespace, name)

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        self._note(endpoint, "list")
        return await super().list(endpoint, namespace, selector)

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        self._note(endpoint, "list")
        return await super().each(endpoint, namespace, selector, take)

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        self._note(endpoint, "create")
        return await super().create(endpoint, namespace, manifest)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        self._note(endpoint, "update")
        return await super().replace(endpoint, namespace, manifest)

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        self.asked.add((endpoint.group, f"{endpoint.plural}/status", "patch"))
        return await super().replace_status(endpoint, namespace, name, version, status)

    async def delete(self, endpoint: Endpoint, namespace: str, name: str, **how: Any) -> Object:
        self._note(endpoint, "delete")
        return await super().delete(endpoint, namespace, name, **how)

    def _note(self, endpoint: Endpoint, verb: str) -> None:
        self.asked.add((endpoint.group, endpoint.plural, verb))


def ended_once() -> Callable[[str], None]:
    """End the first operator as it has written a status: the next one looks before it makes anything."""
    faults: list[BaseException] = [Crash()]

    def end(call: str) -> None:
        if call.startswith("status") and faults:
            raise faults.pop()

    return end


async def a_whole_life(world: RecordingWorld) -> None:
    """Live a run from its creation to the end of its time to live, with all that is said meanwhile."""
    life = Life(world=world, after_call=ended_once())
    world.put(RUNS, run_of())
    await life.until_over()
    raw = world.of(RUNS)[0]
    events = EventSender(world, lambda: 0.0, lambda: None)
    note = KubernetesEvent("Normal", "Completed", "it is over")
    events.send(event_of(observed_run(raw).run, note, instance="test", now=life.now))
    sending = asyncio.create_task(events.run())
    await events.flush(5.0)
    sending.cancel()
    for _ in range(2):  # the second renews it
        claims = Claims(world, "system/operator", clock=lambda: 0.0, now=lambda: life.now, live=list)
        assert await claims.holds(KEY[0])
    life.now += timedelta(days=30)
    await life.step()
    assert world.of(RUNS) == []


def a_life_of_a_schedule(world: RecordingWorld) -> None:
    """Live a schedule whose runs are made, replaced, and removed as history has enough of them."""
    life = ScheduleLife(world=world, takes=None)
    life.create(concurrencyPolicy="Replace", failedRunsHistoryLimit=1)
    life.live(4)
    assert len(life.runs()) < len(life.seen)


@pytest.fixture(scope="module")
def asked() -> Asked:
    world = RecordingWorld()
    asyncio.run(a_whole_life(world))
    a_life_of_a_schedule(world)
    # kopf watches all that is listed.
    watched = {(ENDPOINTS[kind].group, ENDPOINTS[kind].plural, "watch") for kind in WATCHED}
    return world.asked | watched


def test_no_right_is_missing_and_none_is_unused(asked: Asked) -> None:
    allowed = {
        (right.group, resource, verb)
        for right in rights()
        for resource in right.resources
        for verb in right.verbs
    }
    assert allowed == asked | ONLY_CHECKED


def test_the_only_lease_that_is_changed_is_the_claim() -> None:
    named = {
        verb: right.names for right in rights() if right.resources == ("leases",) for verb in right.verbs
    }
    assert named == {"create": (), "get": (CLAIM,), "update": (CLAIM,)}


def test_what_is_not_watched_is_never_read() -> None:
    read = {"get", "list", "watch"}
    unread = {ENDPOINTS[kind].plural for kind in Kind if kind not in WATCHED}
    assert unread == {"secrets"}
    assert not any(unread & set(right.resources) and read & set(right.verbs) for right in rights())
    assert not [child for child in CHILDREN if child.in_sweep and child.kind not in WATCHED]
