"""What is known of the runs of a namespace that wait for one quota, and what two such runs come to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.runs import SETTINGS

from runtime.small_planner import run_of
from runtime.world import World
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, RUNS
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_UID_LABEL, Claimant, Rivals
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.room import Room
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def claimant(number: int, quota: str = "team", *, holds: bool = True) -> Claimant:
    return Claimant(START + timedelta(seconds=number), f"uid-{number}", f"run-{number}", quota, holds)


claimants = st.builds(
    claimant, st.integers(0, 5), st.sampled_from(["", "team", "other"]), holds=st.booleans()
)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.none() | claimants)))
def test_it_knows_what_a_look_at_all_runs_would_tell(notes: list[tuple[str, int, Claimant | None]]) -> None:
    room, known = Room(), dict[Key, Claimant]()
    for namespace, number, each in notes:
        key = (namespace, str(number))
        room.note(key, each)
        known.pop(key, None)
        if each is not None:
            known[key] = each
    assert len(room) == len(known)
    for namespace in "ab":
        here = [each for (place, _), each in known.items() if place == namespace]
        for quota in ("team", "other"):
            waiting = sorted(each for each in here if each.quota == quota)
            holding = [each for each in waiting if each.holds]
            others = any(each.holds and each.quota != quota for each in here)
            expected = (
                Rivals(quota, waiting[0], holding[-1] if holding else None, others) if waiting else None
            )
            assert room.rivals(namespace, quota) == expected


class Team:
    """Two runs in one namespace, with the real planner, applier and cache, and a KubeRay whose workers a
    quota refuses."""

    def __init__(self) -> None:
        self.world, self.now = World(), START
        for number, name in enumerate(("first", "second")):
            raw = run_of(name)
            raw["metadata"]["creationTimestamp"] = (START + timedelta(seconds=number)).isoformat()
            self.world.put(RUNS, raw)
        queue: WorkQueue[Key] = WorkQueue(lambda: 0.0, Backoff(1.0, 1.0, lambda: 1.0))
        self.cache = Cache(lambda: 0.0, queue.add)
        applier = Applier(
            self.world,
            self.cache,
            now=lambda: self.now,
            token=lambda: "0" * 64,
            instance="test",
            send_event=lambda body: None,
        )
        self.reconciler = Reconciler(
            sweep_of_gone=lambda key: asyncio.sleep(0, None),
            queue=queue,
            cache=self.cache,
            applier=applier,
            plan=plan,
            settings=SETTINGS,
            kuberay=lambda: True,
            now=lambda: self.now,
            metrics=Metrics(),
            claims=Claims(self.world, "system/operator", clock=lambda: 0.0, now=lambda: self.now, live=list),
        )

    def step(self, seconds: float = 1.0) -> None:
        """Let time pass, and look at each run until nothing changes by that."""

        async def main() -> None:
            await Lister(self.world, self.cache).list_all()
            for _ in range(4):
                for name in ("first", "second"):
                    await self.reconciler.step(("team", name))

        self.now += timedelta(seconds=seconds)
        asyncio.run(main())

    def kuberay(self, quota: dict[str, str]) -> None:
        """Make each cluster's head, and say that a quota refuses its worker."""
        for raw in self.world.of(RAY_CLUSTERS):
            metadata = raw["metadata"]
            owner = {
                "kind": "RayCluster",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
            }
            labels = {**raw["spec"]["headGroupSpec"]["template"]["metadata"]["labels"]}
            head = {"name": f"{metadata['name']}-head", "labels": labels, "ownerReferences": [owner]}
            self.world.put(PODS, {"metadata": head, "spec": {"containers": [{"name": "ray-head"}]}})
            name = metadata["labels"]["vaportrail.dev/run"]
            message = (
                f'FailedCreateWorkerPod\npods "x" is forbidden: exceeded quota: {quota[name]}, requested: a'
            )
            raw["status"] = {
                "conditions": [
                    {
                        "type": "ReplicaFailure",
                        "status": "True",
                        "reason": "FailedCreateWorkerPod",
                        "message": message,
                        "lastTransitionTime": self.now.isoformat(),
                    }
                ]
            }
            self.world.put(RAY_CLUSTERS, raw)

    def phase(self, name: str) -> Any:
        return self.world.status(name)["phase"]


@pytest.mark.parametrize(
    ("quota", "phase"),
    [({"first": "a", "second": "a"}, "Releasing"), ({"first": "a", "second": "b"}, "Provisioning")],
)
def test_the_later_of_two_runs_that_one_quota_refuses_gives_way(quota: dict[str, str], phase: str) -> None:
    team = Team()
    team.step()
    team.kuberay(quota)
    team.step(30)
    assert (team.phase("first"), team.phase("second")) == ("Provisioning", "Provisioning")
    team.step(40)
    assert (team.phase("first"), team.phase("second")) == ("Provisioning", phase)
    if phase == "Releasing":
        assert "gives way to first" in team.world.status("second")["message"]
        assert [_run(each) for each in team.world.of(PODS) if each["metadata"]["labels"]] != []


def _run(raw: dict[str, Any]) -> tuple[str, str]:
    labels = raw["metadata"]["labels"]
    return labels[RUN_UID_LABEL], labels[COMPONENT_LABEL]


def test_until_each_live_run_of_a_namespace_was_looked_at_nobody_is_in_anothers_way() -> None:
    room, keys = Room(), [("a", "1"), ("a", "2"), ("b", "1")]
    room.expect(keys)
    room.looked(("a", "1"))
    room.note(("a", "1"), claimant(1))
    assert room.rivals("a", "team") is None
    room.looked(("a", "2"))
    room.looked(("a", "2"))
    assert room.rivals("a", "team") == Rivals("team", claimant(1), claimant(1), False)
    room.note(("b", "2"), claimant(2))
    assert room.rivals("b", "team") is None
