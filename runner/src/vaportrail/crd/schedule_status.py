"""`PipelineSchedule.status`: what became of each tick; bounded, however many there were."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from vaportrail.crd.fields import LIST_TYPE, MAP_TYPE
from vaportrail.crd.status import Condition, Count, StatusModel, Time, shortened

__all__ = [
    "ACTIVE_LIMIT",
    "AWAITED_LIMIT",
    "SPAN_LIMIT",
    "Decision",
    "DecisionSpan",
    "PipelineScheduleStatus",
    "RefusedRun",
    "ScheduleCondition",
    "ScheduleConditionType",
    "ScheduleReason",
    "TimetableStatus",
]

SPAN_LIMIT: Final = 16
"""Spans of decisions in a status."""
ACTIVE_LIMIT: Final = 10
"""Names of live runs in a status."""
AWAITED_LIMIT: Final = 64
"""Runs whose ends are waited for; of more the oldest are not counted, so that newer ones are."""
TEXT_BYTES: Final = 384
"""Of a message."""


def _bounded(text: object) -> object:
    return shortened(text, TEXT_BYTES) if isinstance(text, str) else text


ShortMessage = Annotated[str, BeforeValidator(_bounded), Field(max_length=TEXT_BYTES)]
Minute = Annotated[int, Field(ge=0, le=99_999_999)]


class Decision(StrEnum):
    """What became of a tick; each has one."""

    RAN = "Ran"
    """A run was made."""
    REPLACED = "Replaced"
    """A run was made, and the live ones before it were cancelled for it."""
    SKIPPED_FORBID = "SkippedForbid"
    """No run: the one before was still live, and `concurrencyPolicy` is `Forbid`."""
    MISSED = "Missed"
    """No run: it was too late for one, or none could be made."""
    SUPERSEDED = "Superseded"
    """No run: a later tick ran in its place, or the timetable was changed before it began."""
    SKIPPED_DST = "SkippedDST"
    """No run: a change of the clocks skipped or doubled the time, and the schedule leaves it out."""
    SUSPENDED = "Suspended"
    """No run: the schedule was suspended."""


class DecisionSpan(StatusModel):
    """Ticks one after another of which the same became."""

    decision: Decision
    """What became of them."""
    first: Minute
    """The first, in minutes since 1970, as in the names of runs."""
    last: Minute
    """The last."""
    count: Annotated[int, Field(ge=1)]
    """How many."""


class TimetableStatus(StatusModel):
    """What ticks are counted by, since the last change of it."""

    schedule: Annotated[str, Field(max_length=1024)]
    """The expressions."""
    time_zone: Annotated[str, Field(max_length=64)]
    """The time zone."""
    skipped: Annotated[str, Field(max_length=8)] = "Shift"
    """The rule for times that do not exist."""
    doubled: Annotated[str, Field(max_length=8)] = "First"
    """The rule for times that come twice."""
    since: Time
    """When it was changed to this; no tick from before then is due."""
    time_zone_data: Annotated[str, Field(max_length=16)] = ""
    """The version of the time-zone data that the operator has."""


class RefusedRun(StatusModel):
    """The last run that the API server refused to make, and has not made since."""

    tick: Minute
    """Of which tick."""
    message: ShortMessage
    """Why."""


class ScheduleConditionType(StrEnum):
    """The conditions of a schedule."""

    READY = "Ready"
    SUSPENDED = "Suspended"


class ScheduleReason(StrEnum):
    """Why a condition is as it is; closed and documented."""

    ON_TIME = "OnTime"
    INVALID_SPEC = "InvalidSpec"
    NEVER_FIRES = "NeverFires"
    ENDED = "Ended"
    RUN_REFUSED = "RunRefused"
    SUSPENDED_BY_USER = "SuspendedByUser"
    TOO_MANY_FAILURES = "TooManyFailures"
    NOT_SUSPENDED = "NotSuspended"


class ScheduleCondition(Condition):
    """A condition in Kubernetes' form."""

    type: ScheduleConditionType  # type: ignore[assignment]
    """What it is about."""
    message: ShortMessage = ""
    """Why, in words."""


class PipelineScheduleStatus(StatusModel):
    """What became of the ticks. Ticks are minutes since 1970, as in the names of runs."""

    observed_generation: Count = 0
    """The `metadata.generation` that the status was last written for."""
    timetable: TimetableStatus | None = None
    last_tick: Minute | None = None
    """The last tick that something became of."""
    last_tick_time: Time = ""
    """The same as a time, RFC 3339."""
    next_tick_time: Time = ""
    """When the next is due, RFC 3339."""
    suspended: Literal["", "ByUser", "AfterFailures"] = ""
    """Whether ticks are passed over, and why."""
    suspended_generation: Count = 0
    """The `metadata.generation` that was suspended for its failures; another one is not."""
    last_success_tick: Minute | None = None
    """The tick of the last run that succeeded."""
    last_success_time: Time = ""
    """When it ended, RFC 3339."""
    consecutive_failures: Count = 0
    """How many runs failed since."""
    counts: Annotated[dict[str, Count], Field(max_length=8, json_schema_extra={MAP_TYPE: "atomic"})] = {}
    """Of how many ticks each became, since the schedule was made."""
    decisions: Annotated[
        list[DecisionSpan], Field(max_length=SPAN_LIMIT, json_schema_extra={LIST_TYPE: "atomic"})
    ] = []
    """What became of the last ticks."""
    uncarried: Annotated[
        list[DecisionSpan], Field(max_length=SPAN_LIMIT, json_schema_extra={LIST_TYPE: "atomic"})
    ] = []
    """What no run has carried to its record root yet."""
    uncarried_left_out: Count = 0
    """Of how many ticks no run carries it, ever: there was no room; `counts` has them."""
    active: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(max_length=ACTIVE_LIMIT, json_schema_extra={LIST_TYPE: "atomic"}),
    ] = []
    """Runs that have not ended, the newest ten."""
    active_count: Count = 0
    """How many there are in all."""
    awaited: Annotated[
        list[Minute], Field(max_length=AWAITED_LIMIT, json_schema_extra={LIST_TYPE: "atomic"})
    ] = []
    """Ticks of runs whose ends are not counted yet."""
    refused: RefusedRun | None = None
    conditions: Annotated[
        list[ScheduleCondition], Field(max_length=4, json_schema_extra={LIST_TYPE: "atomic"})
    ] = []
    """`Ready` and `Suspended`."""
