"""What becomes of ticks: on time, late, while something is live, suspended, edited, or refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.planning.schedule_world import BEGIN, Killed, ScheduleWorld, schedule_of

from vaportrail.crd.pipelineschedule import timetable_of
from vaportrail.crd.schedule_status import Decision
from vaportrail.crd.scheduled_times import PREVIOUS_TIME_ANNOTATION, SCHEDULED_TIME_ANNOTATION
from vaportrail.crd.status import Phase
from vaportrail.scheduling.time_zones import minute_of
from vaportrail_operator.planning.schedules.due_ticks import start_of
from vaportrail_operator.planning.schedules.history_limits import over_limits
from vaportrail_operator.planning.schedules.plan_schedule import plan_schedule
from vaportrail_operator.planning.schedules.schedule_types import (
    LEDGER_ANNOTATION,
    ScheduledRun,
)

FIRST = minute_of(BEGIN) + 1


def world(**spec: Any) -> ScheduleWorld:
    made = ScheduleWorld(schedule_of(**spec))
    made.settle()
    return made


def minutes(made: ScheduleWorld, count: int) -> None:
    """Let an operator that is there see each minute."""
    for _ in range(count):
        made.wait(60)
        made.settle()


def conditions(made: ScheduleWorld) -> dict[str, tuple[str, str]]:
    return {str(each.type): (each.status, each.reason) for each in made.schedule.status.conditions}


def test_each_tick_on_time_makes_a_run_that_says_for_when_it_is() -> None:
    made = world()
    minutes(made, 3)
    assert made.created == [FIRST, FIRST + 1, FIRST + 2]
    assert sorted(made.runs) == [f"nightly-{FIRST + number}" for number in range(3)]
    status = made.schedule.status
    assert status.counts == {"Ran": 3}
    assert [(each.decision, each.count) for each in status.decisions] == [("Ran", 3)]
    assert status.uncarried == []
    assert status.active_count == 3
    assert status.last_tick_time == "2026-03-28T00:02:00Z"
    assert status.next_tick_time == "2026-03-28T00:03:00Z"
    assert conditions(made) == {"Ready": ("True", "OnTime"), "Suspended": ("False", "NotSuspended")}


def test_a_run_is_the_template_with_the_schedules_marks() -> None:
    made = ScheduleWorld(
        schedule_of(
            template={
                "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "a"}},
                "spec": made_spec(),
            }
        )
    )
    made.settle()
    made.wait(60)
    made.step()
    made.end(f"nightly-{FIRST}", Phase.SUCCEEDED)
    made.wait(60)
    (create,) = plan_schedule(made.observed()).creates
    metadata = create.manifest["metadata"]
    assert metadata["labels"]["team"] == "vision"
    assert metadata["annotations"]["note"] == "a"
    assert metadata["annotations"][SCHEDULED_TIME_ANNOTATION] == "2026-03-28T00:01:00Z"
    assert metadata["annotations"][PREVIOUS_TIME_ANNOTATION] == "2026-03-28T00:00:00Z"
    assert json.loads(metadata["annotations"][LEDGER_ANNOTATION]) == [["Ran", FIRST + 1, FIRST + 1, 1]]
    assert metadata["ownerReferences"][0]["controller"] is True
    assert create.manifest["spec"]["pipeline"] == "mnist"
    assert "cancel" not in create.manifest["spec"]


def made_spec(**spec: Any) -> dict[str, Any]:
    return {
        **schedule_of().spec.template.spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
        **spec,
    }


@pytest.mark.parametrize(("given", "kept"), [({}, 2**31 - 1), ({"ttlSecondsAfterFinished": 86400}, 86400)])
def test_history_limits_say_when_runs_go_unless_the_template_does(given: dict[str, int], kept: int) -> None:
    made = world(template={"spec": made_spec(**given)})
    made.wait(60)
    (create,) = plan_schedule(made.observed()).creates
    assert create.manifest["spec"]["ttlSecondsAfterFinished"] == kept


AWAY = {
    "None": ({"catchUp": {"policy": "None"}}, 0, {"Missed": 5000}),
    "None, back just in time": ({"catchUp": {"policy": "None"}}, 1, {"Missed": 4999, "Ran": 1}),
    "Latest": ({}, 1, {"Superseded": 4999, "Ran": 1}),
    "Latest, within a deadline": (
        {"startingDeadlineSeconds": 600},
        1,
        {"Missed": 4990, "Superseded": 9, "Ran": 1},
    ),
    "All": ({"catchUp": {"policy": "All", "max": 7}}, 7, {"Missed": 4993, "Ran": 7}),
    "All, within a deadline": (
        {"catchUp": {"policy": "All", "max": 100}, "startingDeadlineSeconds": 300},
        5,
        {"Missed": 4995, "Ran": 5},
    ),
}


@pytest.mark.parametrize("name", AWAY)
def test_an_operator_that_was_away_for_5000_ticks_does_what_catch_up_says(name: str) -> None:
    spec, ran, counts = AWAY[name]
    made = world(**spec)
    late = 20 if "just in time" in name else 70 if name == "None" else 30
    made.now = BEGIN + timedelta(seconds=30 + 4999 * 60 + late)
    if name == "None":
        # The newest of all is late by more than a minute: its successor is not due yet.
        made.edit(endTime=(BEGIN + timedelta(seconds=30 + 4999 * 60 + 1)).isoformat())
    made.settle()
    assert len(made.created) == ran
    assert made.schedule.status.counts == counts


def test_a_live_run_keeps_the_next_from_beginning_where_it_is_forbidden() -> None:
    made = world(concurrencyPolicy="Forbid")
    minutes(made, 4)
    assert made.created == [FIRST]
    assert made.schedule.status.counts == {"Ran": 1, "SkippedForbid": 3}
    made.end(f"nightly-{FIRST}", Phase.SUCCEEDED)
    minutes(made, 1)
    assert made.created == [FIRST, FIRST + 4]
    assert made.carried[FIRST + 4] == [
        ["SkippedForbid", FIRST + 1, FIRST + 3, 3],
        ["Ran", FIRST + 4, FIRST + 4, 1],
    ]


def test_late_ticks_are_skipped_as_live_ones_are() -> None:
    made = world(concurrencyPolicy="Forbid")
    minutes(made, 1)
    made.wait(3600)
    made.settle()
    assert made.created == [FIRST]
    assert made.schedule.status.counts == {"Ran": 1, "Missed": 59, "SkippedForbid": 1}


def test_a_live_run_is_cancelled_for_the_next_where_it_is_replaced() -> None:
    made = world(concurrencyPolicy="Replace")
    minutes(made, 2)
    assert made.runs[f"nightly-{FIRST}"].cancelled
    assert made.created == [FIRST, FIRST + 1]
    assert made.schedule.status.counts == {"Ran": 1, "Replaced": 1}


def test_very_many_live_runs_are_cancelled_step_by_step_before_one_replaces_them() -> None:
    made = world()
    minutes(made, 50)
    made.edit(concurrencyPolicy="Replace")
    made.wait(60)
    plans = [made.step() for _ in range(3)]
    assert [len(plan.cancels) for plan in plans] == [20, 20, 10]
    assert [len(plan.creates) for plan in plans] == [0, 0, 1]
    assert plans[0].requeue_after == 0


def test_a_day_of_suspension_brings_no_storm() -> None:
    made = world()
    made.edit(suspend=True)
    made.settle()
    made.wait(86400)
    made.settle()
    assert made.created == []
    made.wait(3600)
    made.edit(suspend=False)
    made.settle()
    assert made.created == []
    minutes(made, 1)
    assert made.schedule.status.counts == {"Suspended": 1500, "Ran": 1}
    assert made.carried[made.created[0]][0][0] == "Suspended"


@pytest.mark.parametrize(
    "texts", [("15 1 * * *", "15 2 * * *"), ("15 2 * * *", "15 1 * * *"), ("0 0 * * *", "* * * * *")]
)
def test_a_changed_expression_never_fires_the_past(texts: tuple[str, str]) -> None:
    made = world(schedule=texts[0])
    made.wait(3 * 3600)
    made.settle()
    ran = list(made.created)
    made.edit(schedule=texts[1])
    made.settle()
    made.wait(5)
    made.settle()
    assert made.created == ran
    made.edit(schedule=texts[0])
    made.settle()
    assert made.created == ran
    made.wait(86400)
    made.settle()
    assert len(made.created) == len(ran) + 1


def test_what_an_edit_finds_undecided_is_superseded() -> None:
    made = world(schedule="0 * * * *", jitterSeconds=3000)
    for hour in range(1, 30):
        made.now = datetime(2026, 3, 28, hour, 0, 1, tzinfo=UTC)
        made.settle()
        status = made.schedule.status
        if status.last_tick != minute_of(made.now):
            break
        made.now += timedelta(seconds=3500)
        made.settle()
    made.edit(schedule="30 12 * * *")
    made.settle()
    assert made.schedule.status.counts["Superseded"] == 1
    assert "Missed" not in made.schedule.status.counts


def test_a_jittered_run_begins_later_and_before_the_next_tick_always_alike() -> None:
    starts = []
    for _ in range(2):
        made = world(schedule="*/10 * * * *", jitterSeconds=599)
        for _ in range(130):
            made.wait(10)
            made.settle()
        starts.append(made.late)
    assert starts[0] == starts[1]
    assert len(starts[0]) >= 2
    assert all(0 <= late <= 609 for late in starts[0].values())
    assert len({*starts[0].values()}) > 1


def test_a_jittered_run_begins_before_a_tick_that_a_change_of_the_clocks_brings_near() -> None:
    spec = schedule_of(schedule="30 2 * * *\n5 3 * * *", timeZone="Europe/Berlin", jitterSeconds=1800).spec
    timetable = timetable_of(spec.schedule, spec.time_zone, spec.daylight_saving)
    # 02:30 is skipped that day, and due at 03:00.
    tick = minute_of(datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    assert timetable.next(tick) == tick + 5
    assert all(0 <= start_of(spec, f"{n}", timetable, tick) - tick * 60 < 300 for n in range(50))


def test_a_clock_that_goes_back_and_forward_repeats_nothing() -> None:
    made = world()
    minutes(made, 3)
    made.wait(-120)
    made.settle()
    made.wait(3600)
    made.settle()
    made.wait(-7200)
    made.settle()
    assert made.created == [FIRST, FIRST + 1, FIRST + 2, FIRST + 60]
    assert sum(made.schedule.status.counts.values()) == 61


def test_skipped_times_are_decided_too() -> None:
    made = world(schedule="30 2 * * *", timeZone="Europe/Berlin", daylightSaving={"skipped": "Skip"})
    made.now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    made.settle()
    assert made.schedule.status.counts == {"Superseded": 1, "SkippedDST": 1, "Ran": 1}
    assert [span[0] for span in made.ledger()] == ["Superseded", "SkippedDST", "Ran"]


def test_what_is_refused_is_missed_and_its_reason_stands_until_a_run_is_made() -> None:
    made = world()
    made.refuses = "exceeded quota"
    for _ in range(3):
        made.wait(60)
        made.settle()
    assert conditions(made)["Ready"] == ("False", "RunRefused")
    made.refuses = ""
    made.wait(60)
    made.settle()
    assert made.schedule.status.counts == {"Missed": 3, "Ran": 1}
    assert made.schedule.status.refused is None
    assert conditions(made)["Ready"] == ("True", "OnTime")


def test_a_spec_that_cannot_be_read_is_said_and_makes_nothing() -> None:
    made = world()
    made.edit(schedule="* * * *")
    minutes(made, 3)
    assert made.created == []
    assert conditions(made)["Ready"] == ("False", "InvalidSpec")
    assert "has 4 fields" in made.schedule.status.conditions[0].message


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"endTime": "2026-03-28T00:02:00Z"}, "Ended"),
        ({"schedule": "0 0 29 2 *", "endTime": "2027-01-01T00:00:00Z"}, "Ended"),
    ],
)
def test_a_schedule_that_has_no_tick_any_more_says_so(spec: dict[str, str], reason: str) -> None:
    made = world(**spec)
    minutes(made, 4)
    assert conditions(made)["Ready"] == ("False", reason)
    assert len(made.created) == (2 if "schedule" not in spec else 0)


def test_it_is_suspended_after_so_many_failures_and_goes_on_with_a_changed_spec() -> None:
    made = world(suspendAfterFailures=3)
    for number in range(6):
        minutes(made, 1)
        if made.live():
            made.end(made.live()[0], Phase.SUCCEEDED if number == 1 else Phase.FAILED)
            made.settle()
    assert made.schedule.status.counts == {"Ran": 5, "Suspended": 1}
    assert conditions(made)["Suspended"] == ("True", "TooManyFailures")
    made.edit(suspendAfterFailures=4)
    made.settle()
    minutes(made, 1)
    assert made.schedule.status.counts == {"Ran": 6, "Suspended": 1}
    assert made.schedule.status.consecutive_failures == 0


def test_what_is_cancelled_has_not_failed() -> None:
    made = world(suspendAfterFailures=1)
    minutes(made, 1)
    made.end(made.live()[0], Phase.CANCELLED)
    made.settle()
    assert made.schedule.status.suspended == ""


@pytest.mark.parametrize("hung", [11, 100])
def test_hung_runs_keep_no_end_from_being_counted(hung: int) -> None:
    made = world(suspendAfterFailures=3)
    minutes(made, hung)
    for _ in range(3):
        minutes(made, 1)
        made.end(made.live()[-1], Phase.FAILED)
        made.settle()
    assert conditions(made)["Suspended"] == ("True", "TooManyFailures")


def test_ended_runs_over_the_limits_go_the_oldest_first() -> None:
    made = world(successfulRunsHistoryLimit=2, failedRunsHistoryLimit=1)
    for number in range(8):
        minutes(made, 1)
        made.end(made.live()[0], Phase.FAILED if number % 2 else Phase.SUCCEEDED)
        made.settle()
    assert [int(name[-8:]) - FIRST for name in made.runs] == [4, 6, 7]


def test_a_run_whose_end_is_not_counted_stays() -> None:
    spec = schedule_of(successfulRunsHistoryLimit=0).spec
    runs = {n: ScheduledRun(f"nightly-{n}", f"uid-{n}", "", "", Phase.SUCCEEDED) for n in (1, 2)}
    assert [delete.name for delete in over_limits(spec, runs, awaited=[2])] == ["nightly-1"]


def forged(made: ScheduleWorld, minute: int, ledger: str = "", **other: Any) -> ScheduledRun:
    uid = made.schedule.metadata.uid
    run = ScheduledRun(f"nightly-{minute}", "forged", uid, uid, ledger=ledger)
    return replace(run, **other)


@pytest.mark.parametrize("minute", [FIRST + 1440, 99_999_999])
def test_a_forged_run_of_a_time_to_come_silences_nothing(minute: int) -> None:
    made = world(concurrencyPolicy="Forbid")
    run = forged(
        made, minute, json.dumps([["Missed", FIRST, minute - 1, minute - FIRST], ["Ran", minute, minute, 1]])
    )
    made.runs[run.name] = run
    minutes(made, 1)
    assert made.created == [FIRST]
    assert made.schedule.status.last_tick == FIRST


@pytest.mark.parametrize(
    "ledger",
    [
        "[",
        "5",
        "[[]]",
        '[["Ran", 1, 2]]',
        '[["Ran", -1, -1, 1]]',
        json.dumps([["Missed", FIRST, FIRST + 5000, 5001]]),
        json.dumps([["Missed", FIRST, FIRST + 1, 77], ["Ran", FIRST + 2, FIRST + 2, 1]]),
        json.dumps([["Ran", FIRST + 2, FIRST + 2, 1]]),
        json.dumps([["Gone", FIRST, FIRST + 2, 3]]),
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_ledger_that_no_operator_writes_is_not_believed(ledger: str) -> None:
    made = world(concurrencyPolicy="Allow")
    made.wait(150)
    run = forged(made, FIRST + 2, ledger)
    made.runs[run.name] = run
    made.settle()
    # The run is there, so its tick has run; of the others nothing is known.
    assert made.schedule.status.counts == {"Superseded": 2, "Ran": 1}


@pytest.mark.parametrize(
    "other", [{"controller": "another"}, {"schedule_uid": "another"}, {"name": "nightly-x"}]
)
def test_a_run_of_somebody_else_counts_for_nothing(other: dict[str, str]) -> None:
    made = world(concurrencyPolicy="Forbid", schedule="*/5 * * * *")
    run = forged(made, FIRST, **other)
    made.runs[run.name] = run
    assert len(plan_schedule(replace(made.observed(), now=BEGIN + timedelta(seconds=40))).creates) == 1


def test_backfills_are_not_counted_and_never_made_again() -> None:
    made = world(concurrencyPolicy="Forbid")
    run = forged(made, FIRST, backfill=True)
    made.runs[run.name] = run
    minutes(made, 2)
    assert made.created == [FIRST + 1]
    assert made.schedule.status.counts == {"Ran": 2}


def test_a_backfill_of_a_tick_that_is_not_decided_is_no_run_of_the_schedules_own() -> None:
    made = world()
    run = forged(made, FIRST + 2, backfill=True)
    made.runs[run.name] = run
    made.wait(5 * 60)
    made.settle()
    assert made.schedule.status.counts == {"Superseded": 4, "Ran": 1}


@pytest.mark.parametrize("writes", range(3))
@pytest.mark.parametrize("catch_up", ["Latest", "All"])
def test_a_step_that_is_killed_after_any_write_is_gone_on_with(catch_up: str, writes: int) -> None:
    made = world(catchUp={"policy": catch_up, "max": 3}, startingDeadlineSeconds=120)
    made.wait(10 * 60)
    with pytest.raises(Killed):
        made.step(writes=writes if catch_up == "All" else min(writes, 1))
    made.settle()
    again = world(catchUp={"policy": catch_up, "max": 3}, startingDeadlineSeconds=120)
    again.wait(10 * 60)
    again.settle()
    assert made.schedule.status.counts == again.schedule.status.counts
    assert made.ledger() == again.ledger()
    assert made.created == again.created


def test_what_was_killed_long_ago_is_told_as_it_was_decided_then() -> None:
    made = world()
    made.wait(10 * 60)
    with pytest.raises(Killed):
        made.step(writes=1)
    made.wait(10 * 60)
    made.settle()
    assert made.schedule.status.counts == {"Superseded": 18, "Ran": 2}
    assert Decision.MISSED not in made.schedule.status.counts


def killed_after_creation(made: ScheduleWorld) -> None:
    with pytest.raises(Killed):
        made.step(writes=1)


@pytest.mark.parametrize("policy", ["Allow", "Forbid"])
@pytest.mark.parametrize("seconds", [30, 300, 7000])
def test_after_a_kill_a_clock_that_is_set_back_tells_no_tick_twice(seconds: int, policy: str) -> None:
    made = world(concurrencyPolicy=policy)
    made.wait(10 * 60)
    killed_after_creation(made)
    made.wait(-seconds)
    made.settle()
    made.wait(seconds)
    made.settle()
    assert made.most_live == 1
    assert made.ledger() == [("Superseded", FIRST, FIRST + 8, 9), ("Ran", FIRST + 9, FIRST + 9, 1)]
    assert made.schedule.status.counts == {"Superseded": 9, "Ran": 1}


def test_a_ledger_that_begins_before_what_is_decided_is_believed_of_the_rest() -> None:
    made = world(catchUp={"policy": "None"})
    made.wait(200 * 60)
    killed_after_creation(made)
    made.wait(-180 * 60)
    made.edit(suspend=True)
    made.settle()
    made.wait(180 * 60)
    made.settle()
    assert made.schedule.status.counts == {"Suspended": 20, "Missed": 179, "Ran": 1}
    assert made.ledger() == [("Missed", FIRST, FIRST + 198, 199), ("Ran", FIRST + 199, FIRST + 199, 1)]


def test_decisions_of_two_timetables_that_are_told_in_one_are_taken_over() -> None:
    def lived(*, killed: bool) -> ScheduleWorld:
        made = world()
        made.wait(5 * 60)
        made.edit(schedule="*/2 * * * *")
        made.settle()
        made.wait(10 * 60)
        if killed:
            killed_after_creation(made)
        made.settle()
        return made

    made = lived(killed=True)
    assert made.ledger() == lived(killed=False).ledger()
    assert made.schedule.status.uncarried == []


def test_times_that_daylight_saving_leaves_out_and_are_told_in_one_are_taken_over() -> None:
    def lived(*, killed: bool) -> ScheduleWorld:
        zone = {"timeZone": "Europe/Berlin", "daylightSaving": {"doubled": "None"}}
        made = world(schedule="*/5 1-3 * * *", **zone)
        made.wait(220 * 86_400)
        if killed:
            killed_after_creation(made)
        made.settle()
        return made

    made = lived(killed=True)
    assert made.schedule.status.counts["SkippedDST"] == 12
    assert made.ledger() == lived(killed=False).ledger()
    assert made.schedule.status.counts == lived(killed=False).schedule.status.counts


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_the_first_look_keeps_the_timetable_before_anything_runs(writes: int, steps: int) -> None:
    made = ScheduleWorld(schedule_of())
    made.wait(60)
    for _ in range(steps):
        with suppress(Killed):
            made.step(writes=writes)
    made.edit(schedule="0 0 1 1 *")
    made.settle()
    made.wait(60)
    made.settle()
    assert made.schedule.status.counts.get("Ran", 0) == len(made.created)


def test_a_schedule_that_is_being_deleted_makes_nothing() -> None:
    made = world()
    made.wait(60)
    metadata = made.schedule.metadata.model_copy(update={"deletion_timestamp": made.now})
    made.schedule = made.schedule.model_copy(update={"metadata": metadata})
    plan = plan_schedule(made.observed())
    assert (plan.creates, plan.cancels, plan.deletes) == ((), (), ())
