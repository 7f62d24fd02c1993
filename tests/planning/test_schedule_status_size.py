"""A schedule's status is bounded: at its fullest, and after many ticks."""

from __future__ import annotations

from tests.planning.schedule_world import ScheduleWorld, schedule_of

from vaportrail.crd.schedule_status import (
    ACTIVE_LIMIT,
    AWAITED_LIMIT,
    SPAN_LIMIT,
    Decision,
    DecisionSpan,
    PipelineScheduleStatus,
    RefusedRun,
    ScheduleCondition,
    ScheduleConditionType,
    TimetableStatus,
)

LATEST = 99_999_999


def test_a_status_at_its_fullest_is_within_its_bound() -> None:
    span = DecisionSpan(decision=Decision.SKIPPED_FORBID, first=LATEST, last=LATEST, count=LATEST)
    time = "2026-11-30T12:00:00.123Z"
    status = PipelineScheduleStatus(
        observed_generation=2**40,
        timetable=TimetableStatus(
            schedule="\n" * 1024, time_zone="a" * 64, skipped="Shift", doubled="First", since=time,
            time_zone_data="2026f",
        ),
        last_tick=LATEST,
        last_tick_time=time,
        next_tick_time=time,
        suspended="AfterFailures",
        suspended_generation=2**40,
        last_success_tick=LATEST,
        last_success_time=time,
        consecutive_failures=2**40,
        counts={str(each): 2**40 for each in Decision},
        decisions=[span] * SPAN_LIMIT,
        uncarried=[span] * SPAN_LIMIT,
        uncarried_left_out=2**40,
        active=["a" * 40] * ACTIVE_LIMIT,
        active_count=2**40,
        awaited=[LATEST] * AWAITED_LIMIT,
        refused=RefusedRun(tick=LATEST, message="ä" * 100_000),
        conditions=[
            ScheduleCondition(
                type=kind, status="False", reason="TooManyFailures", message='"ä<' * 100_000,
                last_transition_time=time, observed_generation=2**40,
            )
            for kind in ScheduleConditionType
        ],
    )  # fmt: skip
    text = status.model_dump_json(by_alias=True)
    # As Go writes it.
    assert len(text.encode()) + 5 * sum(map(text.count, "<>&")) < 8192


def test_weeks_of_minutes_with_many_decisions_stay_within_it() -> None:
    world = ScheduleWorld(schedule_of(concurrencyPolicy="Forbid", timeZone="Europe/Berlin"))
    for number in range(300):
        world.wait(60 if number % 3 else 220 * 60)
        world.step()
        if number % 40 == 39:
            world.edit(suspend=number % 80 == 39)
    assert sum(world.schedule.status.counts.values()) > 20_000
    assert len(world.schedule.status.decisions) == SPAN_LIMIT
    assert world.schedule.status.uncarried_left_out > 0
    assert world.status_bytes < 8192
