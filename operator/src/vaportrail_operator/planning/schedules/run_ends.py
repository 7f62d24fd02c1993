"""Counting how runs end: each once, however many others hang."""

from __future__ import annotations

from datetime import datetime

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import AWAITED_LIMIT, PipelineScheduleStatus
from vaportrail.crd.status import Phase
from vaportrail_operator.planning import times
from vaportrail_operator.planning.schedules.schedule_types import ScheduledRun

__all__ = ["awaiting", "with_ends", "with_suspension"]


def with_ends(
    status: PipelineScheduleStatus, runs: dict[int, ScheduledRun], now: datetime
) -> PipelineScheduleStatus:
    """Return the status with the ends of awaited runs counted, in the order in which they ended."""
    ended = [tick for tick in status.awaited if tick in runs and runs[tick].finished]
    ended.sort(key=lambda tick: (runs[tick].completed_at or now, tick))
    failures, last_tick, last_time = (
        status.consecutive_failures, status.last_success_tick, status.last_success_time,
    )  # fmt: skip
    for tick in ended:
        run = runs[tick]
        if run.phase is Phase.SUCCEEDED:
            failures, last_time = 0, times.second(run.completed_at or now)
            last_tick = tick if last_tick is None else max(last_tick, tick)
        elif run.phase is Phase.FAILED:
            failures += 1
    return status.model_copy(
        update={
            "consecutive_failures": failures,
            "last_success_tick": last_tick,
            "last_success_time": last_time,
            "awaited": [tick for tick in status.awaited if tick not in ended],
        }
    )


def awaiting(awaited: list[int], made: list[int], runs: dict[int, ScheduledRun]) -> list[int]:
    """Return the ticks whose runs' ends are waited for, with those of runs that are made now.

    One that is not seen is kept: it may be too new to be seen. Where there is no room, those that are not
    there go first, then the oldest: hung runs keep nobody from counting newer ones.
    """
    kept = sorted({*awaited, *made})
    while len(kept) > AWAITED_LIMIT:
        gone = next((tick for tick in kept if tick not in runs and tick not in made), kept[0])
        kept.remove(gone)
    return kept


def with_suspension(schedule: PipelineSchedule, status: PipelineScheduleStatus) -> PipelineScheduleStatus:
    """Return the status with whether the schedule is suspended, by its user or for its failures.

    What was suspended for its failures goes on once the spec is changed, and counts them anew.
    """
    spec, generation = schedule.spec, schedule.metadata.generation
    if status.suspended == "AfterFailures" and status.suspended_generation == generation:
        return status
    # Who lets it go on has seen the failures.
    goes_on = status.suspended != "" and not spec.suspend
    failures = 0 if goes_on else status.consecutive_failures
    failed = not spec.suspend and 0 < spec.suspend_after_failures <= failures
    return status.model_copy(
        update={
            "suspended": "ByUser" if spec.suspend else "AfterFailures" if failed else "",
            "suspended_generation": generation if failed else 0,
            "consecutive_failures": failures,
        }
    )
