"""A schedule's conditions, made anew from the rest of its status: they are told, never decided by."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import (
    PipelineScheduleStatus,
    ScheduleCondition,
    ScheduleConditionType,
    ScheduleReason,
)
from vaportrail.scheduling.time_zones import time_of
from vaportrail_operator.planning import times

__all__ = ["with_conditions"]

_Truth = Literal["True", "False"]


def with_conditions(
    schedule: PipelineSchedule, status: PipelineScheduleStatus, problems: tuple[str, ...], now: datetime
) -> PipelineScheduleStatus:
    """Return the status with its conditions; one that says the same keeps the time of its transition."""
    verdicts = {
        ScheduleConditionType.READY: _ready(schedule, status, problems),
        ScheduleConditionType.SUSPENDED: _suspended(status),
    }
    before = {each.type: each for each in schedule.status.conditions}
    made = []
    for kind, (truth, reason, message) in verdicts.items():
        known = before.get(kind)
        same = known is not None and known.status == truth
        made.append(
            ScheduleCondition(
                type=kind,
                status=truth,
                reason=reason,
                message=message,
                last_transition_time=known.last_transition_time if known and same else times.second(now),
                observed_generation=schedule.metadata.generation,
            )
        )
    return status.model_copy(update={"conditions": made})


def _ready(
    schedule: PipelineSchedule, status: PipelineScheduleStatus, problems: tuple[str, ...]
) -> tuple[_Truth, ScheduleReason, str]:
    if problems:
        return "False", ScheduleReason.INVALID_SPEC, "; ".join(problems)
    if status.refused is not None:
        when = times.stamp(time_of(status.refused.tick))
        return "False", ScheduleReason.RUN_REFUSED, f"the run of {when} is refused: {status.refused.message}"
    if not status.next_tick_time and schedule.spec.end_time is not None:
        end = times.stamp(schedule.spec.end_time)
        return "False", ScheduleReason.ENDED, f"no tick is due any more: spec.endTime is {end}"
    if not status.next_tick_time:
        return "False", ScheduleReason.NEVER_FIRES, "no tick is due within ten years; change spec.schedule"
    return "True", ScheduleReason.ON_TIME, ""


def _suspended(status: PipelineScheduleStatus) -> tuple[_Truth, ScheduleReason, str]:
    if status.suspended == "ByUser":
        return "True", ScheduleReason.SUSPENDED_BY_USER, "spec.suspend is set"
    if status.suspended == "AfterFailures":
        why = f"{status.consecutive_failures} runs failed one after another; change the spec to go on"
        return "True", ScheduleReason.TOO_MANY_FAILURES, why
    return "False", ScheduleReason.NOT_SUSPENDED, ""
