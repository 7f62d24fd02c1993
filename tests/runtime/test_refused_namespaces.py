"""A namespace that the API server refuses, for it was deleted with the operator's Role, stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from runtime.small_planner import pod, run_of
from runtime.world import World
from vaportrail_operator.acting.client import Forbidden
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS, SERVICES
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.health import Health
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

EVERY_KIND = (SERVICES, RAY_CLUSTERS, PODS, RUNS)


class Scene:
    """A lister of two namespaces, with a run and its runner in each."""

    def __init__(self) -> None:
        self.world = World()
        self.time = 0.0
        self.queue: WorkQueue[Key] = WorkQueue(lambda: self.time, Backoff(1.0, 1.0, lambda: 1.0))
        self.cache = Cache(lambda: self.time, self.queue.add)
        self.lister = Lister(self.world, self.cache, ["team-a", "team-b"])
        for namespace in ("team-a", "team-b"):
            run = run_of()
            run["metadata"]["namespace"] = namespace
            uid = self.world.put(RUNS, run)["metadata"]["uid"]
            runner = pod("runner", "mnist", uid, "runner")
            runner["metadata"]["namespace"] = namespace
            self.world.put(PODS, runner)

    def refuse(self, *namespaces: str, kinds: Iterable[Endpoint] = EVERY_KIND) -> None:
        self.world.refused = {(kind.plural, namespace) for kind in kinds for namespace in namespaces}

    def list_all(self) -> None:
        asyncio.run(self.lister.list_all())

    def list_refused(self) -> None:
        asyncio.run(self.lister.list_refused())

    @property
    def known(self) -> list[str]:
        """The namespace of each run that is known."""
        return sorted(namespace for (namespace, _), _ in self.cache.runs())


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(("refused", "other"), [("team-a", "team-b"), ("team-b", "team-a")])
def test_the_others_are_listed(scene: Scene, refused: str, other: str) -> None:
    scene.refuse(refused)
    scene.list_all()
    assert scene.known == [other]
    assert [entry.object_key.namespace for entry in scene.cache.made_for_runs()] == [other]
    assert scene.lister.kuberay


def test_that_all_are_refused_is_an_error(scene: Scene) -> None:
    scene.refuse("team-a", "team-b")
    with pytest.raises(Forbidden):
        scene.list_all()


def test_that_the_runs_of_all_are_refused_is_an_error(scene: Scene) -> None:
    scene.refuse("team-a", "team-b", kinds=[RUNS])
    with pytest.raises(Forbidden):
        scene.list_all()


def test_a_refusal_of_the_whole_cluster_is_an_error_and_nothing_is_forgotten(scene: Scene) -> None:
    lister = Lister(scene.world, scene.cache)
    asyncio.run(lister.list_all())
    scene.world.refused = {(RUNS.plural, None)}
    with pytest.raises(Forbidden):
        asyncio.run(lister.list_all())
    assert scene.known == ["team-a", "team-b"]


def test_what_was_known_of_it_is_forgotten(scene: Scene) -> None:
    scene.list_all()
    scene.refuse("team-b")
    scene.list_all()
    assert scene.known == ["team-a"]
    assert [entry.object_key.namespace for entry in scene.cache.made_for_runs()] == ["team-a"]


def test_its_watches_owe_nothing(scene: Scene) -> None:
    health = Health(scene.cache, lambda: 0.0, lambda: True, listed=True)
    scene.world.remove(RUNS, "mnist", "team-a")
    scene.list_all()
    scene.time = 200.0
    assert health.problems() != []
    scene.refuse("team-b")
    scene.list_all()
    assert health.problems() == []


def test_a_run_is_not_known_without_its_pods(scene: Scene) -> None:
    scene.refuse("team-b", kinds=[PODS])
    scene.list_all()
    assert scene.known == ["team-a"]


@pytest.mark.parametrize("again", [Scene.list_all, Scene.list_refused])
def test_one_that_is_back_is_served_again(scene: Scene, again: Callable[[Scene], None]) -> None:
    scene.list_all()
    scene.refuse("team-b")
    scene.list_all()
    scene.refuse()
    asyncio.run(drain(scene.queue))
    again(scene)
    assert scene.known == ["team-a", "team-b"]
    assert asyncio.run(drain(scene.queue)) == [("team-b", "mnist")]


def test_only_what_was_refused_is_listed_once_more(scene: Scene) -> None:
    scene.refuse("team-b")
    scene.list_all()
    scene.world.remove(RUNS, "mnist", "team-a")
    scene.list_refused()
    assert scene.known == ["team-a"]


def test_it_is_told_in_the_log_when_that_changes_and_not_each_time(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="vaportrail_operator.runtime.listing")
    scene.list_all()
    caplog.clear()
    scene.refuse("team-b")
    for _ in range(2):
        scene.list_all()
        scene.list_refused()
    scene.refuse()
    scene.list_all()
    scene.list_all()
    told = [(record.levelname, "team-b" in record.getMessage()) for record in caplog.records]
    assert told == [("WARNING", True), ("INFO", True)]


async def drain(queue: WorkQueue[Key]) -> list[Key]:
    """Take out all that is ready, and give it back."""
    found = []
    while queue.depth:
        key = await queue.get()
        assert key is not None
        found.append(key)
        queue.done(key)
    return found
