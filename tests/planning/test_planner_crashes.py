"""Whatever write the operator is killed at, and whatever it sees late, a run ends the same way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.planning.explorer import End, Fault, end_of, live
from tests.planning.world import Script, World

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Phase
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import Observed, Plan

BASE = "mnist-0123abcd"
SCRIPTS = {
    "the main path": Script(),
    "a failing pipeline": Script(Outcome.FAILED),
    "a cancel before anything is made": Script(None, deeds=(("", "cancel"),)),
    "a cancel while provisioning": Script(None, deeds=((Phase.PROVISIONING, "cancel"),)),
    "a cancel while running": Script(None, deeds=((Phase.RUNNING, "cancel"),)),
    "a cancel while releasing": Script(deeds=((Phase.RELEASING, "cancel"),)),
    "a cancel while sealing": Script(deeds=((Phase.SEALING, "cancel"),)),
    "a lost runner": Script(None, deeds=((Phase.RUNNING, "lose_runner"),)),
    "a lost RayCluster": Script(None, deeds=((Phase.RUNNING, "lose_cluster"),)),
    "a lost collector": Script(deeds=((Phase.RUNNING, "lose_collector"),)),
    "a lost sealer": Script(sealers_lost=1),
    "an evicted collector": Script(deeds=((Phase.RUNNING, "evict_collector"),)),
    "a collector evicted while others ship": Script(deeds=((Phase.RELEASING, "evict_collector"),)),
    "a lost head": Script(None, deeds=((Phase.RUNNING, "lose_head"),)),
    "a runner on a dead node": Script(None, deeds=((Phase.RUNNING, "lose_runners_node"),)),
    "a head on a dead node": Script(None, deeds=((Phase.RUNNING, "lose_heads_node"),)),
    "a sealer on a dead node": Script(deeds=((Phase.SEALING, "lose_sealers_node"),)),
    "a worker for which there is no node": Script(None, deeds=((Phase.RUNNING, "strand_worker"),)),
    "a refused runner": Script(None, refused=("-runner",)),
    "a refused RayCluster": Script(None, refused=(BASE,)),
    "a refused sealer": Script(refused=("-sealer",)),
    "a worker with a finalizer": Script(deeds=((Phase.RUNNING, "hold_worker"),)),
    "a sealer with a finalizer": Script(deeds=((Phase.RUNNING, "hold_sealer"),)),
    "a stranger's Service": Script(deeds=((Phase.RUNNING, "use_label"),)),
}
EXPECTED = {
    "the main path": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a failing pipeline": End("Failed", "PipelineFailed", "FAILED", "Sealed", (), 1, 1),
    "a cancel before anything is made": End("Cancelled", "CancelledByUser", "", "", (), 0, 0),
    "a cancel while provisioning": End("Cancelled", "CancelledByUser", "CANCELLED", "Sealed", (), 1, 1),
    "a cancel while running": End("Cancelled", "CancelledByUser", "CANCELLED", "Sealed", (), 1, 1),
    "a cancel while releasing": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a cancel while sealing": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a lost runner": End("Failed", "RunnerLost", "RUNNER_LOST", "Sealed", (), 1, 1),
    "a lost RayCluster": End("Failed", "RayClusterLost", "CANCELLED", "Sealed", (), 1, 1),
    "a lost collector": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a lost sealer": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "an evicted collector": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a collector evicted while others ship": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a lost head": End("Failed", "RayClusterLost", "CANCELLED", "Sealed", (), 1, 1),
    "a runner on a dead node": End("Failed", "RunnerLost", "RUNNER_LOST", "Sealed", (), 1, 1, unshipped=1),
    "a head on a dead node": End("Failed", "RayClusterLost", "CANCELLED", "Sealed", (), 1, 1, unshipped=1),
    "a sealer on a dead node": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", (), 1, 1),
    "a worker for which there is no node": End(
        "Failed", "ProvisioningFailed", "CANCELLED", "Sealed", (), 1, 1
    ),
    "a refused runner": End("Failed", "ProvisioningFailed", "RUNNER_LOST", "Sealed", (), 0, 0),
    "a refused RayCluster": End("Failed", "ProvisioningFailed", "CANCELLED", "Sealed", (), 0, 1),
    "a refused sealer": End("Failed", "SealFailed", "SUCCEEDED", "Unsealed", (), 1, 1),
    "a worker with a finalizer": End(
        "Succeeded", "Completed", "SUCCEEDED", "Sealed", (f"{BASE}-worker",), 1, 1
    ),
    "a sealer with a finalizer": End(
        "Succeeded", "Completed", "SUCCEEDED", "Sealed", (f"{BASE}-sealer",), 1, 1
    ),
    "a stranger's Service": End("Succeeded", "Completed", "SUCCEEDED", "Sealed", ("somebodys",), 1, 1),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_run_ends_as_it_should(name: str) -> None:
    world = live(World(SCRIPTS[name]))
    assert end_of(world) == EXPECTED[name]


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_an_operator_killed_at_any_write_makes_no_difference(name: str, after: bool) -> None:
    states: list[World] = []
    writes = live(World(SCRIPTS[name]), on_look=lambda world: states.append(world.copy())).writes
    for number in range(1, writes + 1):
        last = [state for state in states if state.writes < number][-1]
        world = live(last.copy(kill_at=number, kill_after=after))
        assert end_of(world) == EXPECTED[name], f"write {number}"


@pytest.mark.parametrize("name", ["the main path", "a cancel while running", "a lost sealer"])
@pytest.mark.parametrize(
    ("kind", "length"), [("old run", 3), ("old run", 15), ("old children", 5), ("blind", 3)]
)
def test_an_operator_that_sees_late_makes_no_difference(name: str, kind: str, length: int) -> None:
    looks: list[Observed] = []
    states: list[World] = []
    live(
        World(SCRIPTS[name]),
        planner=lambda observed: looks.append(observed) or plan(observed),
        on_look=lambda world: states.append(world.copy()),
    )
    for at in range(len(looks)):
        # Until then it lives as one that sees everything at once.
        world = live(states[at], fault=Fault(kind, at, length), before=looks[:at])
        assert end_of(world) == EXPECTED[name], f"look {at}"


def test_every_phase_is_entered_once_and_in_order() -> None:
    assert live(World()).phases == ["Provisioning", "Running", "Releasing", "Sealing", "Succeeded"]


def test_a_sealer_is_told_everything_that_was_made_but_itself() -> None:
    (request,) = live(World()).seals
    assert {entry.object for entry in request.receipt} == {
        "Secret/mnist-0123abcd-tokens",
        "Service/mnist-0123abcd-collector",
        "Pod/mnist-0123abcd-collector",
        "RayCluster/mnist-0123abcd",
        "Pod/mnist-0123abcd-runner",
        "Pod of mnist-0123abcd",
        "Service of mnist-0123abcd",
    }
    assert all(entry.removed for entry in request.receipt)


def test_the_explorer_finds_a_planner_that_forgets_what_it_made() -> None:
    def forgetful(observed: Observed) -> Plan:
        status = observed.run.status.model_copy(update={"receipt": []})
        return plan(replace(observed, run=observed.run.model_copy(update={"status": status})))

    with pytest.raises(AssertionError):
        assert end_of(live(World(SCRIPTS["a lost runner"]), planner=forgetful)) == EXPECTED["a lost runner"]


def test_the_explorer_finds_expensive_creations_without_a_live_look() -> None:
    found = set()
    for at in range(60):
        world = live(
            World(SCRIPTS["a cancel while provisioning"], guards=False), fault=Fault("old run", at, 15)
        )
        found.add(end_of(world).clusters)
    assert max(found) > 1
