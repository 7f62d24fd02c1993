"""When a run is due, told on the command line: its tasks and its record say the same."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.crd.messages import RUN

from vaportrail.cli.run_file import read_run_file

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import Cli

PIPELINES = Path(__file__).parents[1] / "pipelines"
DUE = """\
from vaportrail import context, pipeline, result, task

@task
def due() -> str:
    assert context().previous_scheduled_time is None
    return str(context().scheduled_time)

@pipeline
def told() -> str:
    return result(due())
"""


def read_lines(path: Path) -> str:
    """Return the lines of a file of the record, packed or not."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def test_a_task_and_the_record_say_when_the_run_was_due(cli: Cli, tmp_path: Path) -> None:
    Path(tmp_path, "told_when.py").write_text(DUE)
    ended = cli("run", "told_when.py:told", "--json", "--scheduled-time", "2027-03-28T06:00:00+02:00")
    assert ended.code == 0, ended.err
    said = json.loads(ended.out)
    assert said["result"] == "2027-03-28 04:00:00+00:00"
    files = [path for path in Path(tmp_path, said["uri"]).rglob("*") if path.is_file()]
    told = "".join(read_lines(path) for path in files if ".jsonl" in path.name)
    assert '"vaportrail.run.scheduled_time"' in told
    assert "2027-03-28T04:00:00Z" in told
    assert "previous_scheduled_time" not in told


@pytest.mark.parametrize("text", ["soon", "2027-03-28T06:00:00", "9999-12-31T23:59:59-23:59"])
def test_what_is_no_time_starts_nothing(command: Command, text: str) -> None:
    said = command("run", f"{PIPELINES / 'small.py'}:small", "--scheduled-time", text)
    assert said.code == 2
    assert f"--scheduled-time: {text!r} is no time with an offset" in said.err


def test_a_schedules_parameters_follow_from_the_time_also_here(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    template = {"parametersFrom": {"day": {"scheduledTime": "%Y-%m-%d"}}, "spec": RUN["spec"]}
    spec = {"schedule": "@daily", "timeZone": "Europe/Berlin", "template": template}
    about = {"apiVersion": "vaportrail.dev/v1alpha1", "metadata": {"name": "daily"}}
    file.write_text(json.dumps({**about, "kind": "PipelineSchedule", "spec": spec}))
    Path(tmp_path, "pipeline.py").touch()
    assert read_run_file(file, "2027-03-28T22:30:00Z").parameters == {"day": "2027-03-29"}
    without = read_run_file(file)
    assert without.parameters == {}
    assert "parametersFrom: day left out, as --scheduled-time is not given" in without.notes
