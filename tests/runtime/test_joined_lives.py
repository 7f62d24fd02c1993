"""Real planner, applier and cache joined: the operator ends at any write, and the run ends the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from runtime.played_cluster import Crash, Life
from runtime.small_planner import run_of
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.client import Unavailable
from vaportrail_operator.acting.endpoints import RUNS, SECRETS


def a_life(outcome: Outcome = Outcome.SUCCEEDED, *, cancel: bool = False) -> Life:
    def ask(life: Life) -> None:
        raw = life.world.of(RUNS)[0]
        if cancel and life.status.get("phase") == "Running" and not raw["spec"].get("cancel"):
            raw["spec"]["cancel"] = True
            life.world.put(RUNS, raw)

    life = Life(outcome=outcome, disturb=ask)
    life.world.put(RUNS, run_of())
    life.world.calls.clear()
    return life


SCENARIOS = {
    "success": lambda: a_life(),
    "failure": lambda: a_life(Outcome.FAILED),
    "cancel": lambda: a_life(Outcome.CANCELLED, cancel=True),
}


def undisturbed(scenario: str) -> Life:
    life = SCENARIOS[scenario]()
    asyncio.run(life.until_over())
    return life


UNDISTURBED = {scenario: undisturbed(scenario) for scenario in SCENARIOS}


def cases() -> list[tuple[str, int, str, type[BaseException]]]:
    return [
        (scenario, number, moment, fault)
        for scenario, life in UNDISTURBED.items()
        for number in range(1, len(life.world.calls) + 1)
        for moment, fault in (("before", Crash), ("after", Crash), ("after", Unavailable))
    ]


@pytest.mark.parametrize(("scenario", "number", "moment", "fault"), cases())
def test_a_run_ends_the_same_wherever_its_operator_was_killed_or_a_reply_was_lost(
    scenario: str, number: int, moment: str, fault: type[BaseException]
) -> None:
    life = SCENARIOS[scenario]()
    count = 0

    def hook(call: str) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Crash if fault is Crash else Unavailable("no answer")

    setattr(life.world, moment, hook)
    with suppress(Crash):
        asyncio.run(life.until_over())
    asyncio.run(life.until_over())
    told = ("phase", "reason", "outcome")
    expected = UNDISTURBED[scenario].status
    assert {name: life.status[name] for name in told} == {name: expected[name] for name in told}
    assert life.status["record"]["manifestSha256"] == "a" * 64
    assert life.world.left() == []
    assert life.world.of(SECRETS) == []
    made = Counter(call for call in life.world.calls if call.startswith(("create Pod", "create RayCluster")))
    assert set(made.values()) == {1}
