"""etcd is restored from a backup: versions go back, or jump ahead, and what was known is no longer so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.joined_life import KEY, Life
from runtime.small_planner import pod, run_of
from runtime.world import World, copied
from vaportrail_operator.acting.endpoints import PODS, RUNS
from vaportrail_operator.observation.entries import ObjectKey, entry_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import SecretState
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.listing import Lister

_BUMP = 10**9
"""What `etcdutl snapshot restore --bump-revision` adds, as Kubernetes advises."""
RUNNER = ObjectKey(Kind.POD, "team", "it")


class Scene:
    """A world with a run and its pod, known to a cache by lists."""

    def __init__(self) -> None:
        self.world = World()
        self.changed: list[Any] = []
        self.cache = Cache(lambda: 0.0, self.changed.append)
        self.lister = Lister(self.world, self.cache)
        self.world.put(RUNS, run_of())
        self.uid = self.world.of(RUNS)[0]["metadata"]["uid"]
        self.world.put(PODS, pod("it", "mnist", self.uid, "runner"))
        self.list()

    def list(self) -> None:
        asyncio.run(self.lister.list_all())

    def change(self, phase: str) -> None:
        raw = self.world.of(RUNS)[0]
        raw["status"] = {"phase": phase}
        self.world.put(RUNS, raw)

    def phase(self) -> str:
        found = self.cache.run(KEY)
        assert found is not None
        return found[1].phase


@pytest.mark.parametrize("bump", [0, _BUMP], ids=["as it was", "revision raised"])
def test_what_was_changed_after_the_backup_is_as_it_was_in_it(bump: int) -> None:
    scene = Scene()
    scene.change("Running")
    backup = scene.world.backup()
    scene.change("Releasing")
    scene.list()
    scene.world.restore(backup, bump)
    scene.list()
    assert scene.phase() == "Running"
    scene.change("Sealing")
    scene.list()
    assert scene.phase() == "Sealing"


@pytest.mark.parametrize("bump", [0, _BUMP], ids=["as it was", "revision raised"])
def test_what_was_made_after_the_backup_is_gone(bump: int) -> None:
    scene = Scene()
    backup = scene.world.backup()
    for number in range(5):
        scene.world.put(PODS, pod(f"late-{number}", "mnist", scene.uid, "worker"))
    scene.list()
    scene.world.restore(backup, bump)
    scene.list()
    assert [each.object_key.name for each in scene.cache.children(scene.uid)] == ["it"]


@pytest.mark.parametrize("bump", [0, _BUMP], ids=["as it was", "revision raised"])
def test_what_was_removed_after_the_backup_is_there_again(bump: int) -> None:
    scene = Scene()
    backup = scene.world.backup()
    scene.world.remove(PODS, "it")
    scene.list()
    assert scene.cache.get(RUNNER) is None
    scene.world.restore(backup, bump)
    scene.list()
    assert scene.cache.get(RUNNER) is not None


def test_a_store_that_has_grown_past_what_was_known_is_believed() -> None:
    scene = Scene()
    backup = scene.world.backup()
    scene.change("Running")
    scene.change("Releasing")
    scene.list()
    scene.world.restore(backup, 0)
    scene.change("Pending")
    for number in range(5):
        scene.world.put(PODS, pod(f"another-{number}", "mnist", scene.uid, "worker"))
    scene.list()
    assert scene.phase() == "Pending"


def test_what_was_known_of_a_secret_is_not_known_any_more() -> None:
    scene = Scene()
    backup = scene.world.backup()
    scene.cache.set_secret(scene.uid, SecretState.GONE)
    scene.change("Running")
    scene.list()
    scene.world.restore(backup, 0)
    scene.list()
    assert scene.cache.secret(scene.uid) is SecretState.UNKNOWN


def test_a_list_that_is_older_than_what_a_watch_tells_meanwhile_changes_nothing() -> None:
    scene = Scene()
    scene.change("Running")
    scene.list()
    listed = scene.world.each

    async def each(*arguments: Any) -> str:
        version = await listed(*arguments)
        raw = copied(scene.world.of(RUNS)[0])
        raw["metadata"]["resourceVersion"] = str(scene.world.version + 50)
        raw["status"] = {"phase": "Releasing"}
        entry = entry_of(Kind.RUN, raw)
        assert entry is not None
        scene.cache.put(entry, from_watch=True)
        return version

    scene.world.each = each  # type: ignore[method-assign]
    scene.list()
    assert scene.phase() == "Releasing"


@pytest.mark.parametrize("bump", [0, _BUMP], ids=["as it was", "revision raised"])
@pytest.mark.parametrize(("taken", "put_back"), [("Provisioning", "Running"), ("Running", "Sealing")])
def test_a_run_ends_though_its_cluster_goes_back_in_time(taken: str, put_back: str, bump: int) -> None:
    kept: list[Any] = []

    def disturb(life: Life) -> None:
        if life.phase == taken and not kept:
            kept.append(life.world.backup())
        elif life.phase == put_back and len(kept) == 1:
            kept.append("put back")
            life.world.restore(kept[0], bump)

    life = Life(disturb=disturb)
    life.world.put(RUNS, run_of())
    life.play()
    assert life.phase in ("Succeeded", "Failed")
    assert life.status["record"]["state"] == "Sealed"
    assert life.world.left() == []
    assert len(kept) == 2
