"""A run that is deleted leaves nothing, however it is deleted, and what its pods hold is shipped before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.joined_life import Life
from runtime.small_planner import run_of
from runtime.world import FOREGROUND
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.endpoints import RUNS, SECRETS
from vaportrail_operator.planning.kinds import ENDPOINTS

PHASES = ("Provisioning", "Running", "Releasing", "Sealing")


def in_background(life: Life) -> None:
    life.world.remove(RUNS, "mnist")


def in_foreground(life: Life) -> None:
    raw = life.world.of(RUNS)[0]
    raw["metadata"] |= {"deletionTimestamp": life.world.timestamp(), "finalizers": [FOREGROUND]}
    life.world.put(RUNS, raw)


def without_its_own(life: Life) -> None:
    """As `kubectl delete --cascade=orphan`."""
    owner = life.uid
    for endpoint in ENDPOINTS.values():
        for each in life.world.of(endpoint):
            owners = each["metadata"].get("ownerReferences", [])
            if owners:
                each["metadata"]["ownerReferences"] = [one for one in owners if one["uid"] != owner]
                life.world.put(endpoint, each)
    life.world.remove(RUNS, "mnist")


WAYS = {"background": in_background, "foreground": in_foreground, "orphan": without_its_own}


def a_life_that_is_deleted(way: Callable[[Life], None], phase: str) -> Life:
    """Return a life whose run somebody deletes in a phase; it runs until then."""

    def delete(life: Life) -> None:
        if life.phase == phase and not life.run["metadata"].get("deletionTimestamp"):  # type: ignore[index]
            way(life)

    ends = phase in ("Releasing", "Sealing")
    life = Life(outcome=Outcome.SUCCEEDED if ends else None, disturb=delete)
    life.world.put(RUNS, run_of())
    return life


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_deleted_leaves_nothing(way: str, phase: str) -> None:
    life = a_life_that_is_deleted(WAYS[way], phase)
    life.play()
    assert life.phase == "gone"
    assert life.world.left() == []
    assert life.world.of(SECRETS) == []


@pytest.mark.parametrize("way", ["background", "foreground"])
def test_what_the_pods_ship_to_outlives_them(way: str) -> None:
    life = a_life_that_is_deleted(WAYS[way], "Running")
    gone: list[str] = []

    def note(kind: str, raw: dict[str, Any], is_gone: bool) -> None:
        if is_gone:
            gone.append(f"{kind}/{raw['metadata']['name'].removeprefix(base)}")

    base = life.base
    life.world.watchers.append(note)
    life.play()
    needed = [gone.index(name) for name in ("Pod/-collector", "Service/-collector", "Secret/-tokens")]
    assert min(needed) > max(gone.index(name) for name in ("RayCluster/", "Pod/-head", "Pod/-runner"))
    assert life.cluster.unshipped == set()
