"""What must hold of a PipelineSchedule beyond the shape of its fields, and of each of its runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from vaportrail.crd.pipelinerun import RUN_NAME, Metadata, PipelineRun
from vaportrail.crd.pipelineschedule import (
    DEADLINE_REASON,
    SCHEDULE_NAME_LENGTH,
    SHORTEST_DEADLINE,
    PipelineSchedule,
    PipelineScheduleSpec,
    run_name,
    timetable_of,
)
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.crd.status import shortened
from vaportrail.crd.validation.pod_rules import LABEL_KEY
from vaportrail.crd.validation.problems import Problem, problem_at
from vaportrail.crd.validation.reading import ResourceReader, field_of_spec, load_document
from vaportrail.crd.validation.spec_rules import RULES
from vaportrail.crd.validation.validate import RUN_STAND_INS, around
from vaportrail.errors import ScheduleError, UsageError
from vaportrail.scheduling.cron_expression import parse_expressions
from vaportrail.scheduling.time_zones import require_zone

__all__ = ["SHORTEST_TTL", "parse_pipelineschedule", "problems_of_schedule", "read_pipelineschedule"]

SHORTEST_TTL: Final = 600
"""Seconds. A run that is gone sooner may be gone before its end was counted."""
_TEMPLATE: Final = "spec.template.spec"
_OWN: Final = ("vaportrail.dev/", "ray.io/")
_PROBLEM_LIMIT: Final = 64
_TEXT_BYTES: Final = 400

_Rule = Callable[[PipelineSchedule], Iterable[Problem]]


def parse_pipelineschedule(source: str | Mapping[str, Any]) -> PipelineSchedule:
    """Return the PipelineSchedule in a text of YAML or JSON, or in a mapping.

    Raises:
        UsageError: it is none, or is not right; the message names every problem.
    """
    raw = load_document(source, "PipelineSchedule") if isinstance(source, str) else source
    schedule = read_pipelineschedule(raw)
    problems = problems_of_schedule(schedule)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise UsageError(f"this PipelineSchedule cannot run:{lines}")
    return schedule


def read_pipelineschedule(source: Mapping[str, Any]) -> PipelineSchedule:
    """Return a PipelineSchedule also where its spec does not fit; `problems_of_schedule` says what does not.

    Raises:
        UsageError: its status cannot be read, as after a downgrade.
    """
    return _READER.read(source)


def problems_of_schedule(schedule: PipelineSchedule) -> list[Problem]:
    """Return all that is wrong with a schedule, of its runs too; their number and length are bounded."""
    unreadable: list[Problem] = list(schedule._unreadable)
    replaced = {field_of_spec(problem.field) for problem in unreadable if not problem.unknown_field}
    found = [problem for check in _RULES for problem in check(schedule)]
    told = unreadable + [problem for problem in found if not replaced & {*around(problem.field)}]
    return [
        replace(
            each,
            field=shortened(each.field, _TEXT_BYTES),
            value=shortened(each.value, _TEXT_BYTES),
            fix=shortened(each.fix, _TEXT_BYTES),
        )
        for each in told[:_PROBLEM_LIMIT]
    ]


def _name(schedule: PipelineSchedule) -> Iterator[Problem]:
    name = schedule.metadata.name
    if not name:
        yield Problem("metadata.name", "", "is missing; name the schedule: its runs are called after it")
    elif len(name) > SCHEDULE_NAME_LENGTH or not re.fullmatch(RUN_NAME.rstrip("$"), name):
        yield problem_at(
            "metadata.name",
            name,
            f"use at most {SCHEDULE_NAME_LENGTH} small letters, digits and '-', starting with a letter and "
            "ending without '-': the names of runs add the minute",
        )


def _timetable(schedule: PipelineSchedule) -> Iterator[Problem]:
    spec, right = schedule.spec, True
    for path, value, check in (
        ("spec.schedule", spec.schedule, parse_expressions),
        ("spec.timeZone", spec.time_zone, require_zone),
    ):
        try:
            check(value)
        except ScheduleError as error:
            right = False
            # The message has the value, or the part of it that is wrong.
            yield Problem(path, "", str(error))
    if right and spec.jitter_seconds:
        timetable = timetable_of(spec.schedule, spec.time_zone, spec.daylight_saving)
        shortest = timetable.shortest_interval() * 60
        if spec.jitter_seconds >= shortest:
            fix = f"use less than {shortest}, the shortest interval: a run must begin before the next is due"
            yield problem_at("spec.jitterSeconds", spec.jitter_seconds, fix)


def _lateness(schedule: PipelineSchedule) -> Iterator[Problem]:
    spec = schedule.spec
    deadline = spec.starting_deadline_seconds
    if deadline is not None and deadline < SHORTEST_DEADLINE:
        fix = f"use at least {SHORTEST_DEADLINE}: {DEADLINE_REASON}"
        yield problem_at("spec.startingDeadlineSeconds", deadline, fix)
    if spec.catch_up.policy == "All" and spec.concurrency_policy != "Allow":
        fix = (
            f"needs concurrencyPolicy Allow, not {spec.concurrency_policy}: the runs it makes are live side "
            "by side; use Latest"
        )
        yield problem_at("spec.catchUp.policy", "All", fix)


def _template_metadata(schedule: PipelineSchedule) -> Iterator[Problem]:
    metadata = schedule.spec.template.metadata
    for field, keys in (("labels", metadata.labels), ("annotations", metadata.annotations)):
        for key in keys:
            path = f"spec.template.metadata.{field}"
            if key.startswith(_OWN):
                yield problem_at(path, key, "is Vaportrail's own; use another name")
            elif not LABEL_KEY.fullmatch(key):
                yield problem_at(path, key, "use [prefix/]name of letters, digits, '-', '_' and '.'")


def _parameters_from(schedule: PipelineSchedule) -> Iterator[Problem]:
    template = schedule.spec.template
    for name in template.parameters_from:
        path = f"spec.template.parametersFrom.{name}"
        if not name.isidentifier():
            yield Problem(path, "", "a parameter's name is a name of Python")
        elif name in template.spec.parameters:
            yield Problem(path, "", f"spec.template.spec.parameters.{name} says it, too; leave one out")


def _template(schedule: PipelineSchedule) -> Iterator[Problem]:
    spec = schedule.spec.template.spec
    for field in ("cancel", "suspend"):
        if field in spec.model_fields_set:
            yield Problem(f"{_TEMPLATE}.{field}", "", "is of a run, not of a schedule; leave it out")
    ttl = spec.ttl_seconds_after_finished
    if "ttl_seconds_after_finished" in spec.model_fields_set and ttl < SHORTEST_TTL:
        fix = (
            f"use at least {SHORTEST_TTL}, so that the run's end is counted, or leave it out: then the "
            "history limits say when runs go"
        )
        yield problem_at(f"{_TEMPLATE}.ttlSecondsAfterFinished", ttl, fix)
    run = PipelineRun(metadata=Metadata(name=run_name("schedule", 0)), spec=spec)
    for check in RULES:
        for problem in check(run):
            yield replace(problem, field=f"spec.template.{problem.field}")


_RULES: Final[tuple[_Rule, ...]] = (
    _name,
    _timetable,
    _lateness,
    _template_metadata,
    _parameters_from,
    _template,
)
_READER: Final = ResourceReader(
    PipelineSchedule,
    PipelineScheduleSpec,
    PipelineScheduleStatus,
    {"schedule": "@yearly", "template": {"spec": RUN_STAND_INS}},
)
