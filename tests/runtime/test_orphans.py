"""What was made for a run that is gone or over is removed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.small_planner import base, child, pod, run_of
from runtime.world import World
from vaportrail_operator.acting.client import ApiError, Conflict, Forbidden, Unavailable
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.orphans import OrphanSweeper

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Scene:
    def __init__(self) -> None:
        self.world = World()
        self.time = 0.0
        self.cache = Cache(lambda: self.time, lambda key: None)
        self.metrics = Metrics()
        self.sweeper = OrphanSweeper(
            self.cache,
            self.world,
            lambda: self.time,
            self.metrics,
            now=lambda: START + timedelta(seconds=self.time),
            min_age_seconds=600.0,
            longest_seconds=7200.0,
        )

    def make(self, phase: str = "Succeeded") -> str:
        """Make a run with a RayCluster, a runner and a sealer; returns its uid."""
        uid: str = self.world.put(RUNS, run_of() | {"status": {"phase": phase}})["metadata"]["uid"]
        self.world.put(RAY_CLUSTERS, child("ray.io/v1", "RayCluster", base("mnist", uid), "mnist", uid))
        self.world.put(PODS, pod(f"{base('mnist', uid)}-runner", "mnist", uid, "runner"))
        self.world.put(PODS, pod(f"{base('mnist', uid)}-sealer", "mnist", uid, "sealer", owned=False))
        return uid

    def names(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.world.of(PODS)]

    def sweep(self, *, after: float = 0.0) -> int:
        self.time += after
        return asyncio.run(self._sweep())

    async def _sweep(self) -> int:
        await Lister(self.world, self.cache).list_all()
        return await self.sweeper.sweep()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_a_finished_run_left_is_removed_after_a_while(scene: Scene) -> None:
    uid = scene.make()
    assert scene.sweep() == 0
    assert scene.sweep(after=599.0) == 0
    assert scene.sweep(after=1.0) == 2
    assert scene.world.left() == [f"Pod/{base('mnist', uid)}-sealer"]
    assert b'vaportrail_orphans_removed_total{kind="RayCluster"} 1.0' in scene.metrics.text()


def test_what_a_run_that_is_gone_left_is_removed(scene: Scene) -> None:
    scene.make()
    # Without a garbage collector nothing goes with it.
    del scene.world.objects["pipelineruns", "team", "mnist"]
    scene.sweep()
    assert scene.sweep(after=600.0) == 2


def test_a_sealer_that_ended_goes_like_the_rest_and_one_that_works_much_later(scene: Scene) -> None:
    uid = scene.make()
    scene.sweep()
    scene.sweep(after=7199.0)
    assert scene.world.left() == [f"Pod/{base('mnist', uid)}-sealer"]
    scene.sweep(after=1.0)
    assert scene.world.left() == []


def test_what_a_living_run_uses_stays(scene: Scene) -> None:
    scene.make("Sealing")
    scene.sweep()
    assert scene.sweep(after=10_000.0) == 0


@pytest.mark.parametrize("change", [{"status": {"phase": "Running"}}])
def test_a_live_read_has_the_last_word(scene: Scene, change: dict[str, Any]) -> None:
    scene.make()
    scene.sweep()
    scene.world.of(RUNS)[0].update(change)
    scene.time += 600.0
    assert asyncio.run(scene.sweeper.sweep()) == 0


def test_what_another_controller_makes_is_left_to_it(scene: Scene) -> None:
    uid = scene.make()
    head = pod("head", "mnist", uid, "head")
    head["metadata"]["ownerReferences"][0].update(kind="RayCluster", uid="cluster-uid")
    scene.world.put(PODS, head)
    scene.sweep()
    scene.sweep(after=600.0)
    assert "Pod/head" in scene.world.left()


def test_a_pod_whose_deletion_was_cut_off_is_removed_without_grace_once_it_is_overdue(scene: Scene) -> None:
    scene.make()
    (runner,) = [raw for raw in scene.world.of(PODS) if raw["metadata"]["name"].endswith("-runner")]
    # Its grace ends at this time, and nobody takes the second step of its deletion.
    due = (START + timedelta(seconds=100)).isoformat()
    runner["metadata"] |= {"deletionTimestamp": due, "deletionGracePeriodSeconds": 30}
    scene.world.put(PODS, runner)
    asked: list[int | None] = []
    delete = scene.world.delete

    async def noting(endpoint: Endpoint, namespace: str, name: str, **how: Any) -> Any:
        if name.endswith("-runner"):
            asked.append(how["grace_seconds"])
        return await delete(endpoint, namespace, name, **how)

    scene.world.delete = noting  # type: ignore[method-assign]
    scene.sweep()
    # It is left to go by itself at first, and what is left is given its time from then on.
    scene.sweep(after=120.0)
    scene.sweep(after=599.0)
    assert (asked, runner["metadata"]["name"] in scene.names()) == ([], True)
    scene.sweep(after=20.0)
    scene.sweep(after=600.0)
    assert (asked, runner["metadata"]["name"] in scene.names()) == ([0], False)


def test_what_cannot_be_removed_keeps_nothing_else_from_being_removed(scene: Scene) -> None:
    uid = scene.make()
    scene.sweep()

    def refuse(call: str) -> None:
        if call == f"delete RayCluster/{base('mnist', uid)}":
            raise Unavailable("etcdserver: request timed out", status=500)

    scene.world.before = refuse
    assert scene.sweep(after=600.0) == 1
    assert scene.world.left() == [f"Pod/{base('mnist', uid)}-sealer", f"RayCluster/{base('mnist', uid)}"]
    text = scene.metrics.text()
    assert b'vaportrail_orphan_removals_failed_total{kind="RayCluster"} 1.0' in text
    assert b'vaportrail_orphan_removals_failed_total{kind="Pod"} 0.0' in text


@pytest.mark.parametrize(
    "error",
    [Conflict("try again", status=409), Forbidden("no", status=403), Unavailable("no answer", status=503)],
)
def test_what_could_not_be_removed_is_removed_the_next_time(scene: Scene, error: ApiError) -> None:
    scene.make()
    scene.sweep()

    def refuse(call: str) -> None:
        raise error

    scene.world.before = refuse
    scene.time += 600.0
    assert asyncio.run(scene.sweeper.sweep()) == 0
    scene.world.before = lambda call: None
    assert asyncio.run(scene.sweeper.sweep()) == 2


def test_however_much_says_that_it_is_of_a_run_that_never_was_others_have_their_turn(scene: Scene) -> None:
    for number in range(2_000):
        labels = {"vaportrail.dev/run-uid": "ghost-uid", "vaportrail.dev/run": "ghost"}
        scene.world.put(SERVICES, {"metadata": {"name": f"ghost-ghost-ui-{number}", "labels": labels}})

    async def turns(work: Awaitable[object]) -> int:
        task, count = asyncio.ensure_future(work), 0
        while not task.done():
            await asyncio.sleep(0)
            count += 1
        assert not task.result()
        return count

    asyncio.run(Lister(scene.world, scene.cache).list_all())
    assert asyncio.run(turns(scene.sweeper.sweep())) >= 7
    assert asyncio.run(turns(scene.sweeper.sweep_of_gone(("team", "ghost")))) >= 7
