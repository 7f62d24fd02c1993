"""What the sealer is told of the runner: whether it had ever started, whoever was there to see it."""

from __future__ import annotations

import pytest
from tests.planning.explorer import live
from tests.planning.runs import SETTINGS, a_run
from tests.planning.world import Script, World

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import TimelineEntry
from vaportrail.crd.status import Phase
from vaportrail_operator.planning.children.sealer import seal_request

LOST = Script(None, deeds=((Phase.RUNNING, "lose_runner"),))


def told(*intervals: str) -> bool:
    entries = [
        TimelineEntry(name=name, start="2026-01-01T00:00:00Z", end="2026-01-01T00:00:01Z")
        for name in intervals
    ]
    request = seal_request(
        a_run(), SETTINGS, outcome=Outcome.FAILED, message="", timeline=entries, receipt=[]
    )
    return request.runner_started


@pytest.mark.parametrize("name", ["RunnerPulled", "RunnerJoined", "UserCode"])
def test_a_timeline_in_which_the_runner_ran_says_that_it_started(name: str) -> None:
    assert told("HeadReady", name)


def test_a_timeline_in_which_the_runner_was_only_scheduled_says_that_it_did_not() -> None:
    assert not told("CollectorReady", "HeadReady", "WorkersReady", "RunnerScheduled", "Release")


def test_a_runner_that_ran_and_was_lost_had_started() -> None:
    (request,) = live(World(LOST)).seals
    assert request.runner_started


def test_it_is_still_known_to_an_operator_that_was_killed_at_any_write() -> None:
    states: list[World] = []
    writes = live(World(LOST), on_look=lambda world: states.append(world.copy())).writes
    for number in range(1, writes + 1):
        last = [state for state in states if state.writes < number][-1]
        world = live(last.copy(kill_at=number, kill_after=True))
        assert all(request.runner_started for request in world.seals), f"write {number}"
