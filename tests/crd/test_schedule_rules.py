"""Everything that is wrong with a PipelineSchedule, at once: the field, the value, and what to write."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.crd.messages import RUN

from conftest import REPOSITORY
from vaportrail.crd.pipelinerun import RUN_NAME_LENGTH
from vaportrail.crd.pipelineschedule import parameters_at, run_name
from vaportrail.crd.validation.schedule_rules import (
    parse_pipelineschedule,
    problems_of_schedule,
    read_pipelineschedule,
)
from vaportrail.crd.validation.validate import parse_pipelinerun
from vaportrail.errors import UsageError
from vaportrail.scheduling.time_zones import ZONE_DATA

Object = dict[str, Any]

SCHEDULE: Object = {
    "apiVersion": "vaportrail.dev/v1alpha1",
    "kind": "PipelineSchedule",
    "metadata": {"name": "mnist-daily"},
    "spec": {"schedule": "0 6 * * *", "template": {"spec": RUN["spec"]}},
}


def with_spec(**spec: Any) -> Object:
    return {**SCHEDULE, "spec": {**SCHEDULE["spec"], **spec}}


def with_run(**spec: Any) -> Object:
    return with_spec(template={"spec": {**RUN["spec"], **spec}})


def told(raw: Object) -> list[str]:
    return [str(problem) for problem in problems_of_schedule(read_pipelineschedule(raw))]


PROBLEMS: dict[str, tuple[Object, list[str]]] = {
    "another kind": ({**SCHEDULE, "kind": "PipelineRun"}, ["kind: 'PipelineRun': use PipelineSchedule"]),
    "no name": (
        {**SCHEDULE, "metadata": {"generateName": "a-"}},
        ["metadata.name: is missing; name the schedule: its runs are called after it"],
    ),
    "a long name": (
        {**SCHEDULE, "metadata": {"name": "a" * 32}},
        [
            f"metadata.name: '{'a' * 32}': use at most 31 small letters, digits and '-', starting with a "
            "letter and ending without '-': the names of runs add the minute"
        ],
    ),
    "an expression": (with_spec(schedule="0 25 * * *"), ["spec.schedule: hour: '25': use 0 to 23"]),
    "the second expression": (
        with_spec(schedule="0 6 * * *\n0 6 L * *"),
        [
            "spec.schedule: line 2: day of the month: 'L': 'L', the last day, is not supported; use a day "
            "such as 28"
        ],
    ),
    "a date that there is not": (
        with_spec(schedule="0 0 30 2 *"),
        ["spec.schedule: NeverFires: day 30 is in no month of 2; use another day"],
    ),
    "an empty expression": (
        with_spec(schedule=""),
        ["spec.schedule: '': use five fields such as 0 6 * * *, or @daily; several on lines of their own"],
    ),
    "a zone": (
        with_spec(timeZone="Berlin"),
        ["spec.timeZone: 'Berlin' is no time zone; did you mean 'Europe/Berlin'?"],
    ),
    "a zone with blanks": (
        with_spec(timeZone="New York"),
        ["spec.timeZone: 'New York': use a name such as Europe/Berlin or UTC"],
    ),
    "a short deadline": (
        with_spec(startingDeadlineSeconds=10),
        [
            "spec.startingDeadlineSeconds: 10: use at least 60: a tick would be lost whenever the operator "
            "is busy or restarts"
        ],
    ),
    "a policy": (
        with_spec(concurrencyPolicy="forbid"),
        ["spec.concurrencyPolicy: 'forbid': use 'Allow', 'Forbid' or 'Replace'"],
    ),
    "all with Forbid": (
        with_spec(concurrencyPolicy="Forbid", catchUp={"policy": "All"}),
        [
            "spec.catchUp.policy: 'All': needs concurrencyPolicy Allow, not Forbid: the runs it makes are "
            "live side by side; use Latest"
        ],
    ),
    "jitter as long as the interval": (
        with_spec(schedule="*/5 * * * *", jitterSeconds=300),
        [
            "spec.jitterSeconds: 300: use less than 300, the shortest interval: a run must begin before the "
            "next is due"
        ],
    ),
    "a rule for daylight saving": (
        with_spec(daylightSaving={"skipped": "Never"}),
        ["spec.daylightSaving.skipped: 'Never': use 'Shift' or 'Skip'"],
    ),
    "a time without an offset": (
        with_spec(endTime="2027-01-01T00:00:00"),
        ["spec.endTime: '2027-01-01T00:00:00': use a time with its offset, such as 2027-01-01T00:00:00Z"],
    ),
    "no template": (
        {**SCHEDULE, "spec": {"schedule": "@daily"}},
        ["spec.template: is missing; give the spec of the runs, as template: {spec: {…}}"],
    ),
    "a misspelt field": (
        with_spec(timezone="UTC"),
        ["spec.timezone: there is no such field; did you mean 'timeZone'?"],
    ),
    "a misspelt field of the run": (
        with_run(imag="a"),
        ["spec.template.spec.imag: there is no such field; did you mean 'image'?"],
    ),
    "a run's image": (
        with_run(image=""),
        [
            "spec.template.spec.image: '': use the name of an image, such as "
            "registry.example.com/mnist@sha256:…"
        ],
    ),
    "a run without workers": (
        with_run(ray={"workers": []}),
        [
            "spec.template.spec.ray.workers: give at least one group with replicas of 1 or more; no task "
            "runs in the head or the runner"
        ],
    ),
    "a cancel in the template": (
        with_run(cancel=False, suspend=True),
        [
            "spec.template.spec.cancel: is of a run, not of a schedule; leave it out",
            "spec.template.spec.suspend: is of a run, not of a schedule; leave it out",
        ],
    ),
    "runs that are gone before they are counted": (
        with_run(ttlSecondsAfterFinished=0),
        [
            "spec.template.spec.ttlSecondsAfterFinished: 0: use at least 600, so that the run's end is "
            "counted, or leave it out: then the history limits say when runs go"
        ],
    ),
    "a label of ours": (
        with_spec(template={"spec": RUN["spec"], "metadata": {"labels": {"vaportrail.dev/run": "a"}}}),
        ["spec.template.metadata.labels: 'vaportrail.dev/run': is Vaportrail's own; use another name"],
    ),
    "several": (
        with_spec(schedule="* * * *", timeZone="Local", startingDeadlineSeconds=1),
        [
            "spec.schedule: has 4 fields; use five: minute, hour, day of the month, month, day of the week",
            f"spec.timeZone: 'Local' is no time zone of {ZONE_DATA}; use a name such as Europe/Berlin or UTC",
            "spec.startingDeadlineSeconds: 1: use at least 60: a tick would be lost whenever the operator is "
            "busy or restarts",
        ],
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_wrong_is_named_with_its_value_and_what_to_write(name: str) -> None:
    raw, expected = PROBLEMS[name]
    before = copy.deepcopy(raw)
    assert told(raw) == expected
    assert raw == before


def test_a_schedule_that_is_right_has_its_defaults() -> None:
    spec = parse_pipelineschedule(SCHEDULE).spec
    assert (spec.time_zone, spec.concurrency_policy, spec.catch_up.policy) == ("UTC", "Allow", "Latest")
    assert (spec.successful_runs_history_limit, spec.failed_runs_history_limit) == (3, 1)
    assert (spec.daylight_saving.skipped, spec.daylight_saving.doubled) == ("Shift", "First")
    assert spec.starting_deadline_seconds is None


def test_a_file_with_problems_is_refused_with_all_of_them() -> None:
    with pytest.raises(
        UsageError, match=r"(?s)^this PipelineSchedule cannot run:\n.*spec.schedule.*timeZone"
    ):
        parse_pipelineschedule(with_spec(schedule="a", timeZone="Local"))


def test_the_longest_name_makes_names_of_runs_that_are_allowed() -> None:
    assert len(run_name("a" * 31, 99_999_999)) == RUN_NAME_LENGTH


def test_hostile_texts_are_told_in_bounds() -> None:
    raw = with_spec(
        schedule="\n".join(["x" * 60] * 16),
        template={
            "spec": RUN["spec"],
            "metadata": {"annotations": {f"vaportrail.dev/{'ä' * 400}{number}": "" for number in range(16)}},
        },
    )
    lines = told(raw)
    assert lines
    assert sum(len(line.encode()) for line in lines) < 64 * 1250


def test_a_template_that_cannot_be_read_has_stand_ins_and_is_named() -> None:
    lines = told(with_spec(schedule="* * * *", template={"spec": {"image": 5, "ray": []}}))
    assert lines[0].startswith("spec.template.spec.pipeline: is missing")
    assert lines[-1].startswith("spec.schedule: has 4 fields")


def test_the_example_has_no_problem() -> None:
    text = (REPOSITORY / "examples/mnist/pipelineschedule.yaml").read_text()
    run = (REPOSITORY / "examples/mnist/pipelinerun.yaml").read_text()
    template = parse_pipelineschedule(text).spec.template.spec
    assert template.model_dump() == parse_pipelinerun(run).spec.model_dump()


def template(parameters_from: Object, **parameters: str) -> Object:
    spec = {**RUN["spec"], "parameters": parameters}
    return with_spec(template={"parametersFrom": parameters_from, "spec": spec})


@pytest.mark.parametrize(
    ("parameters_from", "field"),
    [
        ({"day": {"scheduledTime": "%F"}}, "spec.template.parametersFrom.day.scheduledTime"),
        ({"day": {"scheduledTime": "%"}}, "spec.template.parametersFrom.day.scheduledTime"),
        ({"day": {"scheduledTime": ""}}, "spec.template.parametersFrom.day.scheduledTime"),
        ({"day": {}}, "spec.template.parametersFrom.day.scheduledTime"),
        ({"a-day": {"scheduledTime": "%Y"}}, "spec.template.parametersFrom.a-day"),
        ({"size": {"scheduledTime": "%Y"}}, "spec.template.parametersFrom.size"),
    ],
)
def test_a_parameter_that_cannot_follow_from_the_tick_is_named(parameters_from: Object, field: str) -> None:
    (problem,) = told(template(parameters_from, size="1"))
    assert problem.startswith(field)


def test_parameters_follow_from_the_tick_in_the_schedules_zone() -> None:
    raw = template({"day": {"scheduledTime": "%Y-%m-%d"}, "rate": {"scheduledTime": "{%H}100%%"}})
    raw["spec"]["timeZone"] = "Pacific/Auckland"
    spec = parse_pipelineschedule(raw).spec
    due = datetime(2027, 3, 28, 12, 30, tzinfo=UTC)
    assert parameters_at(spec, due) == {"day": "2027-03-29", "rate": "{01}100%"}
