"""What the sealer is told of the runner: whether it had ever started, whoever was there to see it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planning.explorer import live
from tests.planning.phases import RUNNER, at, running, sealing, up, without
from tests.planning.runs import (
    SETTINGS,
    a_cluster,
    a_run,
    a_service,
    observed,
    planned,
    run_report,
    terminated,
)
from tests.planning.world import Script, World

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import TimelineEntry
from vaportrail.crd.status import Phase, ReceiptStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.children.sealer import seal_request
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.receipt import entries_for_record
from vaportrail_operator.planning.timeline import entries_for_record as entries_of_timeline
from vaportrail_operator.planning.types import Component, Create, Observed, SecretState

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


def stamp(seconds: float) -> str:
    return times.stamp(at(seconds))


def sealer_of(seen: Observed) -> dict[str, Any]:
    (made,) = (each for each in plan(seen).actions if isinstance(each, Create))
    return dict(made.manifest)


def test_what_comes_and_goes_after_the_seal_began_asks_for_no_other_sealer() -> None:
    """The reply was lost, and whoever comes next has seen more: the pod that is there is what it asks for."""
    first = sealing()
    asked = sealer_of(first)
    late = planned(first, plan(first), now=at(45), services=(a_service(name="late", created_at=at(44)),))
    seen = planned(late, plan(late), now=at(50), services=())
    gone = planned(seen, plan(seen), now=at(55))
    assert gone.run.status.receipt != first.run.status.receipt
    assert sealer_of(seen) == sealer_of(gone) == asked


def test_what_was_left_when_the_seal_began_and_goes_later_is_left_in_the_record() -> None:
    receipt = [
        ReceiptStatus(object="Pod/a", uid="u", lifetime="2026-01-02T03:04:05Z/2026-01-02T03:05:00Z"),
        ReceiptStatus(object="Pod/b", uid="v", lifetime="2026-01-02T03:05:01Z/.."),
        ReceiptStatus(object="Pod/c", uid="w", lifetime="2026-01-02T03:04:05Z/2026-01-02T03:04:40Z"),
    ]
    kept = entries_for_record(observed(), receipt, at(40))
    assert [(each.object, each.removed) for each in kept] == [
        ("Pod/a", ""),
        ("Pod/c", "2026-01-02T03:04:40Z"),
    ]


@pytest.mark.parametrize("text", ["two\nlines", "a\r\n  b", "x; sealer: y\n"])
def test_why_a_run_ends_is_one_line(text: str) -> None:
    failed = terminated(up(RUNNER), run_report(Outcome.FAILED, message=text, user_code_started="x"))
    made = plan(running(20, pods=(*without(RUNNER), failed)))
    assert made.status.message == " ".join(text.split())


LATE: dict[str, dict[str, Any]] = {
    "a pod of KubeRay's": {"pods": (up(Component.WORKER, created_at=at(20), ready_at=at(21)),)},
    "a pod that drained": {"pods": (terminated(up(Component.WORKER, created_at=at(20))),)},
    "its Service once more": {"services": (a_service(created_at=at(41)),)},
    "its RayCluster once more": {"ray_cluster": a_cluster(created_at=at(41))},
    "a Secret whose end nobody heard": {"secret": SecretState.UNKNOWN},
}


@pytest.mark.parametrize("late", LATE.values(), ids=list(LATE))
def test_what_turns_up_once_more_asks_for_no_other_sealer(late: dict[str, Any]) -> None:
    entered = sealing()
    asked = sealer_of(entered)
    turned_up = planned(entered, plan(entered), now=at(70), **late)
    assert sealer_of(turned_up) == asked
    gone = planned(turned_up, plan(turned_up), now=at(95), **{name: getattr(entered, name) for name in late})
    assert sealer_of(gone) == asked


def test_what_a_node_with_a_clock_ahead_ended_is_in_the_record() -> None:
    entries = entries_of_timeline({"UserCode": f"{stamp(10)}/{stamp(50)}", "Seal": f"{stamp(40)}/.."})
    assert [each.name for each in entries] == ["UserCode"]
