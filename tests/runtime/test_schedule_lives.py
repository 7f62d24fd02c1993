"""Schedules as the operator's joined parts bring them on: each tick once, whoever is killed or away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.crd.messages import RUN

from runtime.joined_life import Crash
from runtime.schedule_life import NAME, ScheduleLife
from runtime.world import START
from vaportrail_operator.acting.client import Forbidden, Unavailable
from vaportrail_operator.acting.endpoints import RUNS, SCHEDULES

FIRST = int(START.timestamp()) // 60 + 1


def names(count: int, first: int = FIRST) -> list[str]:
    return [f"{NAME}-{minute}" for minute in range(first, first + count)]


def a_life(**how: object) -> ScheduleLife:
    life = ScheduleLife(**how)  # type: ignore[arg-type]
    life.create()
    return life


def test_each_minute_has_its_run_and_history_limits_hold() -> None:
    life = a_life()
    life.live(10)
    assert life.seen == names(10)
    assert life.counts == {"Ran": 10}
    # The last one may still run.
    assert life.runs() in (names(3, FIRST + 7), names(4, FIRST + 6), names(3, FIRST + 6))
    assert life.status["lastTickTime"] == "2026-01-02T03:14:00Z"
    assert life.status["nextTickTime"] == "2026-01-02T03:15:00Z"
    assert life.condition("Ready")["status"] == "True"


def test_a_run_says_which_tick_it_is_of_and_whose_it_is() -> None:
    life = a_life()
    life.live(2)
    first, second = sorted(life.world.of(RUNS), key=lambda raw: str(raw["metadata"]["name"]))
    metadata = second["metadata"]
    assert metadata["annotations"]["vaportrail.dev/scheduled-time"] == "2026-01-02T03:06:00Z"
    assert metadata["annotations"]["vaportrail.dev/previous-scheduled-time"] == "2026-01-02T03:05:00Z"
    assert "vaportrail.dev/previous-scheduled-time" not in first["metadata"]["annotations"]
    (owner,) = metadata["ownerReferences"]
    assert owner["uid"] == life.world.of(SCHEDULES)[0]["metadata"]["uid"]


def test_a_parameter_follows_from_the_tick_also_of_a_run_that_is_late() -> None:
    life = ScheduleLife()
    spec = {**RUN["spec"], "parameters": {"size": 3}}
    life.create(template={"parametersFrom": {"minute": {"scheduledTime": "%Y-%m-%dT%H:%M"}}, "spec": spec})
    life.end_operators(back_in=130)
    life.live(2.5)
    (run,) = life.world.of(RUNS)
    assert run["spec"]["parameters"] == {"size": 3, "minute": "2026-01-02T03:06"}
    assert "parametersFrom" not in run["spec"]


def calls_of_three_minutes() -> int:
    calls: list[str] = []
    life = a_life(before_call=calls.append)
    life.live(3)
    return len(calls)


def nth(number: int, error: Callable[[], BaseException]) -> Callable[[str], None]:
    """Return what raises at one call, counted from 0."""
    count = iter(range(10**6))

    def fail(call: str) -> None:
        if next(count) == number:
            raise error()

    return fail


FAULTS: dict[str, tuple[str, Callable[[], BaseException]]] = {
    "killed before": ("before_call", Crash),
    "killed after": ("after_call", Crash),
    "reply lost": ("after_call", lambda: Unavailable("no answer")),
    "call lost": ("before_call", lambda: Unavailable("no answer")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_write_repeats_no_tick_and_loses_none(fault: str) -> None:
    where, error = FAULTS[fault]
    for number in range(calls_of_three_minutes()):
        life = a_life(**{where: nth(number, error)})
        life.live(8)
        # An operator that was away at a tick makes its run late.
        assert life.seen == names(8), f"{fault} {number}"
        assert life.counts == {"Ran": 8}, f"{fault} {number}"
        assert [call for call, count in life.made.items() if count > 1] == []


def test_two_operators_at_a_time_make_each_run_once() -> None:
    life = a_life(operators=2)
    life.live(6)
    assert life.seen == names(6)
    assert life.counts == {"Ran": 6}
    assert max(life.made.values()) == 1


@pytest.mark.parametrize(
    ("policy", "seen", "counts", "most_live"),
    [
        ("Allow", names(6), {"Ran": 6}, 6),
        ("Forbid", names(1), {"Ran": 1, "SkippedForbid": 5}, 1),
        ("Replace", names(6), {"Ran": 1, "Replaced": 5}, 1),
    ],
)
def test_a_run_that_is_still_live_meets_the_policy(
    policy: str, seen: list[str], counts: dict[str, int], most_live: int
) -> None:
    life = ScheduleLife(takes=None)
    life.create(concurrencyPolicy=policy)
    life.live(6)
    assert life.seen == seen
    assert life.counts == counts
    assert life.most_live == most_live


@pytest.mark.parametrize(
    ("catch_up", "ran", "counts"),
    [
        ({"policy": "None"}, 0, {"Missed": 99}),
        ({"policy": "Latest"}, 1, {"Ran": 1, "Superseded": 99}),
        ({"policy": "All", "max": 5}, 5, {"Missed": 95, "Ran": 5}),
    ],
)
def test_an_absence_gives_exactly_what_catch_up_says(
    catch_up: dict[str, object], ran: int, counts: dict[str, int]
) -> None:
    life = ScheduleLife()
    life.create(catchUp=catch_up)
    life.live(2.5)
    before = Counter(life.counts)
    life.end_operators(back_in=None)
    life.live(100)
    assert Counter(life.counts) == before
    life.return_operators()
    life.live(0.1)
    assert len(life.seen) - before["Ran"] in (ran, ran + 1)
    told = Counter(life.counts) - before
    assert told.total() == 100
    for decision, count in counts.items():
        assert told[decision] in (count, count + 1)


def test_what_was_suspended_is_not_made_up_for() -> None:
    life = a_life()
    life.live(3)
    life.edit(suspend=True)
    life.live(1440)
    assert life.seen == names(3)
    life.edit(suspend=False)
    life.live(3)
    assert life.seen == [*names(3), *names(3, FIRST + 1443)]
    assert life.counts == {"Ran": 6, "Suspended": 1440}


@pytest.mark.parametrize("minute", [2, 50])
def test_an_edited_expression_fires_nothing_that_is_past(minute: int) -> None:
    life = ScheduleLife()
    life.create(schedule="10 * * * *")
    life.live(20)  # it is 03:24:05, and 03:10 ran
    assert len(life.seen) == 1
    life.edit(schedule=f"{minute} * * * *")
    life.live(10)
    assert len(life.seen) == 1, "nothing of before the edit, and nothing twice"
    life.live(60)
    assert len(life.seen) == 2
    due = datetime(2026, 1, 2, 3 if minute == 50 else 4, minute, tzinfo=UTC)
    assert life.seen[-1] == f"{NAME}-{int(due.timestamp()) // 60}"


def test_a_refused_run_is_told_and_comes_once_it_is_let() -> None:
    life = a_life()

    def refuse(call: str) -> None:
        if call.startswith("create PipelineRun"):
            raise Forbidden("exceeded quota: runs", status=403, said="exceeded quota: runs")

    life.before_call = refuse
    life.live(3)
    ready = life.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RunRefused")
    assert "exceeded quota: runs" in ready["message"]
    assert "RunRefused" in life.events
    assert life.seen == []
    life.before_call = lambda call: None
    life.live(3)
    assert life.condition("Ready")["status"] == "True"
    assert life.seen == names(3, FIRST + 3)
    assert life.counts == {"Missed": 3, "Ran": 3}


def test_a_strangers_run_under_a_ticks_name_stays_and_is_told() -> None:
    life = a_life()
    life.world.put(RUNS, {"metadata": {"name": f"{NAME}-{FIRST}"}, "spec": {}})
    life.takes = None
    life.live(1.5)
    assert "is not this schedule's" in life.condition("Ready")["message"]
    life.live(2)
    assert life.seen == names(3)
    assert life.condition("Ready")["status"] == "True"
    assert not life.world.of(RUNS)[0]["metadata"].get("ownerReferences")


def test_a_schedule_that_cannot_run_says_why_and_makes_nothing() -> None:
    life = ScheduleLife()
    life.create(timeZone="Europe/Atlantis")
    life.live(3)
    assert life.seen == []
    assert life.condition("Ready")["reason"] == "InvalidSpec"
    assert "Europe/Atlantis" in life.condition("Ready")["message"]
    assert "InvalidSpec" in life.events


def test_a_deleted_schedule_leaves_nothing() -> None:
    life = a_life(takes=None)
    life.live(3)
    assert len(life.runs()) == 3
    life.world.remove(SCHEDULES, NAME)
    life.live(10)
    assert life.runs() == []
    assert life.world.of(SCHEDULES) == []


def test_a_status_of_a_later_version_is_left_as_it_is() -> None:
    life = a_life()
    later = {"suspended": "ByTheMoon", "lastTick": 7}
    life.world.of(SCHEDULES)[0]["status"] = later
    life.live(3)
    assert life.world.of(SCHEDULES)[0]["status"] == later
    assert life.seen == []
