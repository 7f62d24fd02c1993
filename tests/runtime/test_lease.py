"""Who may work: the Lease, in memory, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.world import World
from vaportrail_operator.acting.client import Object, Unavailable
from vaportrail_operator.acting.endpoints import LEASES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.lease import Lease, LeaseLost

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Hanging(World):
    """A world whose answers do not come while it hangs.

    Attributes:
        hangs: whether it does.
        slow: told each call that hangs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False
        self.slow: Callable[[], None] = lambda: None

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        if self.hangs:
            self.slow()
            await asyncio.Event().wait()
        return await super().get(endpoint, namespace, name)


class Scene:
    def __init__(self) -> None:
        self.world = Hanging()
        self.time = 0.0

    def lease(self, identity: str, duration: int = 12) -> Lease:
        return Lease(
            self.world,
            "system",
            "operator",
            identity,
            clock=lambda: self.time,
            now=lambda: NOW,
            duration=duration,
            renewal=0.001,
        )

    def holder(self) -> str:
        (lease,) = self.world.of(LEASES)
        holder: str = lease["spec"]["holderIdentity"]
        return holder


@pytest.fixture
def scene() -> Scene:
    return Scene()


def run(what: Coroutine[Any, Any, Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await what

    return asyncio.run(main())


def test_the_first_makes_the_lease(scene: Scene) -> None:
    lease = scene.lease("a")
    run(lease.acquire())
    assert (lease.held, scene.holder()) == (True, "a")


def test_the_same_identity_goes_on_at_once(scene: Scene) -> None:
    run(scene.lease("a").acquire())
    again = scene.lease("a")
    run(again.acquire())
    assert again.held


def test_another_waits_until_the_lease_was_not_renewed_for_its_duration(scene: Scene) -> None:
    run(scene.lease("a").acquire())
    other = scene.lease("b")

    async def wait() -> float:
        waiting = asyncio.create_task(other.acquire())
        while not waiting.done():
            assert scene.holder() == "a" or scene.time > 12.0
            scene.time += 1.0
            await asyncio.sleep(0.002)
        return scene.time

    assert run(wait()) > 12.0
    assert scene.holder() == "b"


def test_a_lease_that_is_renewed_is_not_taken(scene: Scene) -> None:
    first, other = scene.lease("a"), scene.lease("b")
    run(first.acquire())

    async def race() -> None:
        waiting = asyncio.create_task(other.acquire())
        for _ in range(30):
            scene.time += 5.0
            for lease in scene.world.of(LEASES):
                lease["spec"]["renewTime"] = f"renewed at {scene.time}"
            await asyncio.sleep(0.002)
        waiting.cancel()

    run(race())
    assert not other.held


def test_a_lease_that_was_given_back_is_taken_at_once(scene: Scene) -> None:
    first, other = scene.lease("a"), scene.lease("b")
    run(first.acquire())
    run(first.release())
    run(other.acquire())
    assert (first.held, other.held, scene.holder()) == (False, True, "b")


def test_a_holder_that_finds_another_in_its_place_has_lost(scene: Scene) -> None:
    lease = scene.lease("a")
    run(lease.acquire())
    scene.world.of(LEASES)[0]["spec"]["holderIdentity"] = "b"
    with pytest.raises(LeaseLost, match="b holds the Lease system/operator"):
        run(lease.hold())
    assert not lease.held


def test_a_holder_that_cannot_renew_gives_up_before_another_may_work(scene: Scene) -> None:
    lease = scene.lease("a")
    run(lease.acquire())

    def fail(call: str) -> None:
        scene.time += 1.0
        raise Unavailable("no answer")

    scene.world.before = fail
    with pytest.raises(LeaseLost, match="could not be renewed in time"):
        run(lease.hold())
    assert 9.6 <= scene.time < 12.0


def test_a_holder_whose_renewal_hangs_gives_up_before_another_may_work(scene: Scene) -> None:
    lease = scene.lease("a")
    run(lease.acquire())
    # As good as over: what is left of the holder's patience is all that the call may take.
    scene.time = 9.59
    scene.world.hangs = True
    with pytest.raises(LeaseLost, match="could not be renewed in time"):
        run(lease.hold())
    assert not lease.held


def test_an_operator_that_wants_the_lease_does_not_wait_for_one_answer_for_ever(scene: Scene) -> None:
    lease = scene.lease("a", duration=1)

    def answer_next_time() -> None:
        scene.world.hangs = False

    scene.world.hangs, scene.world.slow = True, answer_next_time
    run(lease.acquire())
    assert (lease.held, scene.holder()) == (True, "a")


def test_a_lease_that_was_not_renewed_for_long_is_not_held_whatever_was_found(scene: Scene) -> None:
    lease = scene.lease("a")
    run(lease.acquire())
    # The process was stopped, and goes on somewhere else than where it renews.
    scene.time = 9.7
    assert not lease.held
    assert scene.holder() == "a"
