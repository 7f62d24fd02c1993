"""`PipelineSchedule`: runs of one template, by the clock.

The models are the one source of the resource's definition, as those of `PipelineRun` are.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, PrivateAttr

from vaportrail.crd.fields import API_VERSION, RULES, Label, Model, Seconds, rule
from vaportrail.crd.pipelinerun import RUN_NAME_LENGTH, Metadata, PipelineRunSpec
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.scheduling.cron_expression import parse_expressions
from vaportrail.scheduling.time_zones import zone_info
from vaportrail.scheduling.timetable import Doubled, Skipped, Timetable

__all__ = [
    "DEADLINE_REASON",
    "SCHEDULE_NAME_LENGTH",
    "SHORTEST_DEADLINE",
    "CatchUpSpec",
    "DaylightSavingSpec",
    "ParameterSource",
    "PipelineSchedule",
    "PipelineScheduleSpec",
    "RunTemplate",
    "RunTemplateMetadata",
    "RunTemplateSpec",
    "parameters_at",
    "run_name",
    "timetable_of",
]

TIME_FORMAT: Final = r"^([ -$&-~]|%[YmdHMSjyGVuzZ%])+$"
"""Of `date` what says the same on each machine and in each language."""
_MINUTES: Final = 8
"""Digits of the minutes since 1970, until the year 2160."""
SCHEDULE_NAME_LENGTH: Final = RUN_NAME_LENGTH - _MINUTES - 1
SHORTEST_DEADLINE: Final = 60
"""Seconds. A shorter one loses ticks to an operator that is merely busy, or is being replaced."""
DEADLINE_REASON: Final = "a tick would be lost whenever the operator is busy or restarts"


class DaylightSavingSpec(Model):
    """Of times of the day that a change of the clocks skips or doubles.

    Expressions whose hour begins with `*` are intervals: they run on through both hours.
    """

    skipped: Skipped = Skipped.SHIFT
    """A time that does not exist: `Shift` to just after the change, or `Skip`."""
    doubled: Doubled = Doubled.FIRST
    """A time that comes twice: the `First`, the `Last`, `Both` or `None`."""


class CatchUpSpec(Model):
    """What becomes of ticks that nobody saw in time: the operator was away, or could not make a run."""

    policy: Literal["None", "Latest", "All"] = "Latest"
    """`None` of them runs; the `Latest` does; `All` do, up to `max`, where they may run side by side."""
    max: Annotated[int, Field(ge=1, le=100)] = 10
    """With `All`, how many at most: the latest ones."""


class RunTemplateMetadata(Model):
    """What runs get beside their names."""

    labels: Annotated[dict[str, Label], Field(max_length=32)] = {}
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=16)] = {}


class RunTemplateSpec(PipelineRunSpec):
    """The spec of each run, but for `cancel` and `suspend`."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule(
                    f"!has(self.{field})",
                    f"spec.template.spec.{field} is of a run, not of a schedule; leave it out",
                    field,
                )
                for field in ("cancel", "suspend")
            ]
        }
    )


class ParameterSource(Model):
    """Where a parameter of each run comes from."""

    scheduled_time: Annotated[str, Field(min_length=1, max_length=64, pattern=TIME_FORMAT)]
    """The run's tick in the schedule's time zone, written as in `date`, such as `%Y-%m-%d`."""


class RunTemplate(Model):
    """What each run is made from."""

    metadata: RunTemplateMetadata = RunTemplateMetadata()
    parameters_from: Annotated[dict[str, ParameterSource], Field(max_length=16)] = {}
    """Parameters of each run that follow from its tick; `spec.parameters` has none of their names."""
    spec: RunTemplateSpec


_FIVE_FIELDS: Final = r"([^ \t\r\n]+[ \t]+){4}[^ \t\r\n]+"
_LINES: Final = rf"^([ \t\r]*(@[A-Za-z]+|{_FIVE_FIELDS})?[ \t\r]*(\n|$))*$"
"""What an API server can see of an expression; an operator sees the rest, and says it in a condition."""


def _rules_of_spec() -> list[JsonValue]:
    return [
        rule(
            "!self.schedule.contains('TZ=')",
            "TZ= is not supported in an expression; use timeZone",
            "schedule",
        ),
        rule(
            "!self.schedule.contains('#') && !self.schedule.contains('?')",
            "'#' and '?' are not supported in an expression; use numbers, or '*'",
            "schedule",
        ),
        rule(
            rf"self.schedule.matches('{_LINES}') && self.schedule.matches('[^ \t\r\n]')",
            "use five fields such as 0 6 * * *, or @daily; several on lines of their own",
            "schedule",
        ),
        rule(
            "!has(self.catchUp) || !has(self.catchUp.policy) || self.catchUp.policy != 'All' || "
            "!has(self.concurrencyPolicy) || self.concurrencyPolicy == 'Allow'",
            "catchUp All needs concurrencyPolicy Allow: the runs it makes are live side by side",
            "catchUp.policy",
        ),
        rule(
            f"!has(self.startingDeadlineSeconds) || self.startingDeadlineSeconds >= {SHORTEST_DEADLINE}",
            f"use at least {SHORTEST_DEADLINE}: {DEADLINE_REASON}",
            "startingDeadlineSeconds",
        ),
    ]


class PipelineScheduleSpec(Model):
    """When, and what."""

    model_config = ConfigDict(json_schema_extra={RULES: _rules_of_spec()})

    schedule: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[ -~\t\r\n]+$")]
    """Expressions of cron, one a line: five fields, or `@daily` and its like."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[-+A-Za-z0-9_/]+$")] = "UTC"
    """Of the clock that the expressions go by, such as `Europe/Berlin`."""
    daylight_saving: DaylightSavingSpec = DaylightSavingSpec()
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Allow"
    """While a run is live, another begins beside it, does not begin, or begins and cancels it."""
    starting_deadline_seconds: Seconds | None = None
    """How late a run may begin; from 60 on. Without it a tick is never too late for `catchUp`."""
    suspend: bool = False
    """While it is set no run begins, and none is made up for afterwards."""
    suspend_after_failures: Annotated[int, Field(ge=0, le=1000)] = 0
    """After so many failed runs, one after another, no more begin until the spec is changed; 0: never."""
    successful_runs_history_limit: Annotated[int, Field(ge=0, le=100)] = 3
    """So many succeeded PipelineRuns are kept; records are never removed."""
    failed_runs_history_limit: Annotated[int, Field(ge=0, le=100)] = 1
    """So many that failed or were cancelled are kept."""
    jitter_seconds: Annotated[int, Field(ge=0, le=86400)] = 0
    """A run begins up to so much later, by a fixed part of it; shorter than the shortest interval."""
    catch_up: CatchUpSpec = CatchUpSpec()
    end_time: AwareDatetime | None = None
    """From then on no tick is due, RFC 3339."""
    template: RunTemplate


class PipelineSchedule(Model):
    """Runs of one template by the clock, with a ledger of what became of each tick."""

    api_version: Literal["vaportrail.dev/v1alpha1"] = API_VERSION
    kind: Literal["PipelineSchedule"] = "PipelineSchedule"
    metadata: Metadata
    spec: PipelineScheduleSpec
    status: PipelineScheduleStatus = Field(default_factory=PipelineScheduleStatus)

    _unreadable: tuple[Any, ...] = PrivateAttr(default=())
    """What was wrong with the resource as it was read."""


def run_name(schedule: str, minute: int) -> str:
    """Return the name of a tick's run: it is the same whoever makes it, so that no tick runs twice.

    >>> run_name("mnist", 29712345)
    'mnist-29712345'
    """
    return f"{schedule}-{minute}"


def parameters_at(spec: PipelineScheduleSpec, due: datetime) -> dict[str, str]:
    """Return the parameters of a run that follow from when it is due."""
    sources = spec.template.parameters_from
    local = due.astimezone(zone_info(spec.time_zone)) if sources else due
    return {name: local.strftime(source.scheduled_time) for name, source in sources.items()}


def timetable_of(schedule: str, time_zone: str, daylight_saving: DaylightSavingSpec) -> Timetable:
    """Return the timetable that a spec means.

    Raises:
        ScheduleError: an expression or the zone is not right.
    """
    return _timetable(schedule, time_zone, daylight_saving.skipped, daylight_saving.doubled)


# Each look at a schedule asks for it, and a thousand schedules have few between them.
@lru_cache(maxsize=1024)
def _timetable(schedule: str, time_zone: str, skipped: Skipped, doubled: Doubled) -> Timetable:
    return Timetable(parse_expressions(schedule), time_zone, skipped, doubled)
