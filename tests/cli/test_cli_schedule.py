"""`vaportrail schedule next`, and what `submit` and `run -f` do with a schedule's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.crd.messages import RUN

from vaportrail.cli.run_file import read_run_file
from vaportrail.scheduling.time_zones import ZONE_DATA

if TYPE_CHECKING:
    from tests.conftest import Cli


@pytest.fixture
def schedule(tmp_path: Path) -> Any:
    def write(**spec: Any) -> Path:
        body = {
            "apiVersion": "vaportrail.dev/v1alpha1",
            "kind": "PipelineSchedule",
            "metadata": {"name": "mnist-daily"},
            "spec": {
                "schedule": "30 2 * * *",
                "timeZone": "Europe/Berlin",
                "template": {"spec": RUN["spec"]},
                **spec,
            },
        }
        path = tmp_path / "schedule.yaml"
        path.write_text(yaml.safe_dump(body))
        return path

    return write


def test_the_next_ticks_are_shown_in_the_zone_and_in_utc(cli: Cli, schedule: Any) -> None:
    done = cli("schedule", "next", schedule(), "--after", "2027-03-27", "--count", "2")

    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "Sat 2027-03-27 02:30 CET    2027-03-27T01:30Z  mnist-daily-30101850",
        "Sun 2027-03-28 03:00 CEST   2027-03-28T01:00Z  mnist-daily-30103260",
    ]


@pytest.mark.parametrize("how", [["--json"], ["-o", "json"], ["--output", "json"]])
def test_they_can_be_had_as_json(cli: Cli, schedule: Any, how: list[str]) -> None:
    done = cli("schedule", "next", schedule(), "--after", "2027-03-28T00:00:00Z", "-n", "1", *how)

    assert done.json == {
        "schedule": "mnist-daily",
        "timeZone": "Europe/Berlin",
        "timeZoneData": ZONE_DATA,
        "ticks": [
            {
                "local": "2027-03-28T03:00:00+02:00",
                "utc": "2027-03-28T01:00:00Z",
                "run": "mnist-daily-30103260",
            }
        ],
    }


def test_what_ends_or_hinders_them_is_said_beside(cli: Cli, schedule: Any) -> None:
    file = schedule(endTime="2027-03-28T01:00:00Z", suspend=True, jitterSeconds=60)
    done = cli("schedule", "next", file, "--after", "2027-03-27")

    assert done.out.count("\n") == 1
    assert "no tick is due after these: spec.endTime is 2027-03-28T01:00:00+00:00" in done.err
    assert "spec.suspend is set" in done.err
    assert "up to 60 s later" in done.err


def test_all_that_is_wrong_with_the_file_is_told(cli: Cli, schedule: Any) -> None:
    done = cli("schedule", "next", schedule(schedule="0 25 * * *", timeZone="Berlin"))

    assert done.code == 2
    assert "spec.schedule: hour: '25': use 0 to 23" in done.err
    assert "did you mean 'Europe/Berlin'?" in done.err


@pytest.mark.parametrize(
    "text", ["tomorrow", "2027-13-01", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59-12"]
)
def test_a_time_that_is_none_is_refused(cli: Cli, schedule: Any, text: str) -> None:
    done = cli("schedule", "next", schedule(), "--after", text)

    assert "Traceback" not in done.err
    assert done.code in (0, 2)
    assert done.code == 0 or f"--after: {text!r} is no time" in done.err


def test_a_schedule_is_not_submitted_while_no_operator_makes_runs_by_it(cli: Cli, schedule: Any) -> None:
    done = cli("submit", schedule())

    assert done.code == 2
    assert "this is a PipelineSchedule, and the operator makes no runs by schedules yet" in done.err


def test_its_template_runs_here_once(schedule: Any, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("")
    asked = read_run_file(schedule())

    assert (asked.entrypoint, asked.pipeline, asked.name) == ("pipeline:mnist", "mnist", "mnist-daily")
    assert asked.notes[0] == "mnist-daily is run once, now: a schedule's ticks do not count here"
