"""`ls`, `show` and `logs` of a cluster's run that is not sealed: what its parts say."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cluster.stored_runs import Stored, stored

from conftest import run_vaportrail
from vaportrail.cli.main import main
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import SPOOL_FOLDER
from vaportrail.record.reading.read import list_runs, open_run

if TYPE_CHECKING:
    from tests.conftest import Sealed


@pytest.fixture
def run(small: Sealed, tmp_path: Path) -> Stored:
    """The small run as a cluster's, of which nothing is stored yet, in a folder."""
    return in_a_cluster(str(tmp_path / "root"), small)


def in_a_cluster(root: str, small: Sealed) -> Stored:
    from dataclasses import replace

    run = stored(root, small)
    uid = run.settings.identity.uid
    return replace(run, settings=replace(run.settings, root=root, spool=f"{SPOOL_FOLDER}/{uid}"))


def grow_old(run: Stored) -> None:
    """Let all that is stored have arrived an hour ago."""
    for path in Path(run.root, "spool").rglob("*.gz"):
        os.utime(path, (time.time() - 3600,) * 2)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    shown = capsys.readouterr()
    assert ended.value.code in (0, None), shown.err
    return shown.out


def uri(run: Stored) -> str:
    return f"{run.root}/{run.settings.path}"


def test_a_run_that_has_said_nothing_yet_is_listed_and_shown_by_its_settings(
    run: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    run.begin()

    (line,) = said(capsys, "ls", "--record", run.root).splitlines()[1:]
    assert line.startswith("UNFINISHED   small")
    assert line.endswith("running")
    assert f"record      {uri(run)}" in said(capsys, "show", uri(run))
    found = open_run(uri(run))
    assert (found.parameters, found.facts.run.tags) == ({"size": 3, "secret": "<hidden>"}, {"team": "vision"})


def test_a_live_run_is_shown_as_far_as_its_parts_have_come(
    run: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    run.begin()
    for part in run.parts():
        if part[0].startswith("logs_") and "runner" not in part[0]:
            run.put(part)
            run.put((f"{part[0][:-8]}-again.json.gz", part[1]))  # a part may come twice

    assert list(open_run(uri(run)).logs()) == [line for line in run.sealed.run.logs() if line.task]
    assert said(capsys, "logs", uri(run))
    assert "running" in said(capsys, "show", uri(run)).splitlines()[0]


def test_a_run_whose_parts_are_all_there_reads_as_its_record_does(run: Stored) -> None:
    run.begin()
    for part in run.parts():
        run.put(part)

    [found] = list_runs(run.root)
    sealed = run.sealed.run
    assert (found.sealed, found.alive, found.outcome) == (False, False, Outcome.SUCCEEDED)
    assert list(found.logs()) == list(sealed.logs())
    assert list(map(repr, found.metrics())) == list(map(repr, sealed.metrics()))
    assert [task.info for task in found.tasks] == [task.info for task in sealed.tasks]
    assert found.facts.artifacts == sealed.facts.artifacts


def test_a_run_that_was_deleted_is_not_sealed_and_names_the_command_that_seals_it(
    run: Stored, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run.begin()
    for part in run.parts():
        if "runner" not in part[0]:
            run.put(part)
    grow_old(run)

    (line,) = said(capsys, "ls", "--record", run.root).splitlines()[1:]
    command = line.partition("not sealed: ")[2]
    assert command.startswith("vaportrail seal ")
    assert f"seal it     {command}" in said(capsys, "show", "latest", "--record", run.root)
    (told,) = said(capsys, "ls", "--json", "--record", run.root).splitlines()
    assert json.loads(told)["seal_command"] == command

    done = run_vaportrail(*command.split()[1:], cwd=tmp_path)

    assert done.code == 0, done.err
    assert open_run(uri(run)).sealed


def test_parts_that_a_seal_left_do_not_make_two_runs_of_one(run: Stored) -> None:
    run.begin()
    for part in run.parts():
        run.put(part)
    run.stand()

    [found] = list_runs(run.root)
    assert found.sealed


def test_a_run_in_a_bucket_is_read_there(
    small: Sealed, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    run = in_a_cluster("s3://records/unsealed", small)
    run.begin()
    for part in run.parts():
        run.put(part)

    (line,) = said(capsys, "ls", "--record", run.root).splitlines()[1:]
    assert "not sealed: vaportrail seal" in line
    assert "SUCCEEDED" in said(capsys, "show", uri(run))
    assert said(capsys, "logs", uri(run))
