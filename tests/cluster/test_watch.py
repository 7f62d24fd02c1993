"""`vaportrail watch`: a run followed through its record root alone."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cluster.stored_runs import Clock, Failing, Stored, outage, stored, watch

from conftest import CLI
from silent_server import silent_server
from vaportrail.cli import watch_command, watch_target
from vaportrail.errors import RecordError
from vaportrail.record.reading.follow import Follower
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.run_events import RunEvent
from vaportrail.storage.store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import Sealed


@pytest.fixture
def watched(run: Stored) -> Stored:
    """The small run, all of it stored and sealed, its parts not cleared up yet."""
    run.begin()
    for part in run.parts():
        run.put(part)
    run.stand()
    return run


@contextmanager
def watching(*args: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(CLI), "watch", *map(str, args)],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], words: str) -> None:
    """Wait for a line on standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


def follow(place: Stored, env: dict[str, str] | None = None) -> None:
    """Watch a run from before it begins to its seal."""
    first, *others = place.parts()
    with watching(place.settings.identity.uid[:8], "--record", place.root, env=env) as process:
        until(process, "to begin below")
        place.begin()
        place.put(first)
        until(process, "started")
        for part in others:
            place.put(part)
        until(process, "waiting for the seal")
        place.seal()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.splitlines()[0].startswith("SUCCEEDED  small/")
    assert f"{place.root}/{place.settings.path}" in out


def test_a_run_in_a_folder_is_followed_from_before_it_begins_to_its_seal(run: Stored) -> None:
    follow(run)


def test_a_run_in_a_bucket_is_followed_from_before_it_begins_to_its_seal(
    s3: dict[str, str], small: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    follow(stored("s3://records/watched", small), s3)


def test_each_event_is_told_once_and_the_end_like_run_does(
    watched: Stored, small: Sealed, capsys: pytest.CaptureFixture[str]
) -> None:
    said = watch(capsys, watched.settings.identity.name, "--record", watched.root)

    assert said.code == 0
    assert len(said.lines("make-1 submitted: make(size=3)")) == 1
    assert len(said.lines("double-1 started: double()")) == 1
    assert len(said.lines("double-1 SUCCEEDED")) == 1
    assert len(said.lines("pipeline started")) == 1
    assert len(said.lines("SUCCEEDED: 3 of 3 tasks succeeded")) == 1
    assert said.out[-1] == f"sha256      {small.sha256}"


def test_what_was_stored_and_cleared_away_between_two_looks_is_told_from_the_record(run: Stored) -> None:
    run.begin()
    with watching(run.settings.identity.uid, "--record", run.root, "--logs") as process:
        first, *_ = run.parts()
        run.put(first)
        until(process, "started")
        run.seal()
        _, err = process.communicate(timeout=30)

    assert process.returncode == 0
    assert len([line for line in err.splitlines() if "SUCCEEDED: 3 of 3 tasks succeeded" in line]) == 1
    assert len([line for line in err.splitlines() if "report-1 SUCCEEDED" in line]) == 1


def test_output_is_told_only_where_it_is_asked_for(
    watched: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"{watched.root}/{watched.settings.path}"

    assert watch(capsys, uri).lines("making 3") == []
    assert len(watch(capsys, uri, "--logs").lines("make-1 stdout: making 3")) == 1


def test_events_as_json_say_the_same(watched: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    said = watch(capsys, watched.settings.identity.uid, "--record", watched.root, "--json")
    *events, end = [json.loads(line) for line in said.out]

    submitted = [event for event in events if event["event"] == "task.submitted"]
    assert [event["task"] for event in submitted] == ["make-1", "double-1", "report-1"]
    assert [event["outcome"] for event in events if event["event"] == "task.ended"] == ["SUCCEEDED"] * 3
    assert (end["uid"], end["outcome"]) == (watched.settings.identity.uid, "SUCCEEDED")


def test_failures_are_told_with_their_reasons_and_end_it_with_1(
    failures: Sealed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stored(str(tmp_path / "root"), failures)
    run.begin()
    for part in run.parts():
        run.put(part)
    run.stand()

    said = watch(capsys, run.settings.identity.uid, "--record", run.root)

    assert said.code == 1
    for task in failures.run.tasks:
        assert said.lines(f" {task.id} {task.outcome.value} "), task.id
    assert said.out[-3].startswith("FAILED  failures/")


def test_a_run_that_is_sealed_already_is_told_at_once(
    watched: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(Path(watched.root) / "spool")

    said = watch(capsys, watched.settings.identity.uid[:8], "--record", watched.root)

    assert (said.code, said.err) == (0, [])
    assert said.out[0].startswith("SUCCEEDED  small/")


def test_a_seal_that_is_late_is_told_once_with_how_to_see_why(
    run: Stored, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_command, "time", Clock({200: run.seal}))
    identity = run.settings.identity
    run.begin()
    for part in run.parts():
        run.put(part)

    said = watch(capsys, identity.uid, "--record", run.root)

    (late,) = said.lines("is not sealed yet")
    assert f"kubectl describe pipelineruns.vaportrail.dev {identity.name}" in late
    assert f"vaportrail seal {identity.uid[:8]} --record {run.root}" in late
    assert said.code == 0


@pytest.mark.parametrize("method", ["size", "entries", "get", "folders"])
def test_an_outage_of_the_store_is_told_once_and_loses_nothing(
    run: Stored, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    run.begin()
    for part in run.parts():
        run.put(part)
    monkeypatch.setattr(watch_command, "time", Clock({1: run.stand}))
    monkeypatch.setattr(watch_target, "time", Clock({}))
    failing = Failing(getattr(ObjectStore, method), [outage() for _ in range(3)])
    failing.put(monkeypatch, ObjectStore, method)

    said = watch(capsys, run.settings.identity.uid, "--record", run.root)

    assert (said.code, failing.errors) == (0, [])
    assert len(said.lines("the store does not answer: cannot read s3://records/ml/x: HTTP error")) == 1
    assert len(said.lines("the store answers again")) == 1
    assert len(said.lines("SUCCEEDED: 3 of 3 tasks succeeded")) == 1
    for task in ("make-1", "double-1", "report-1"):
        assert len(said.lines(f"{task} SUCCEEDED")) == 1


@pytest.mark.parametrize("what", ["parts", "record"])
def test_what_the_store_gave_in_part_is_told_in_whole_the_next_time(
    watched: Stored, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    record = open_run(f"{watched.root}/{watched.settings.path}")

    def read(follower: Follower) -> list[RunEvent]:
        return follower.poll() if what == "parts" else follower.rest(record)

    follower, get, answers = Follower(watched.store, watched.settings), ObjectStore.chunks, itertools.count()

    def fails_at_the_second(store: ObjectStore, path: str) -> Iterator[bytes]:
        if next(answers) == 1:
            raise outage()
        return get(store, path)

    expected = read(Follower(watched.store, watched.settings))
    monkeypatch.setattr(ObjectStore, "chunks", fails_at_the_second)
    with pytest.raises(RecordError):
        read(follower)

    assert read(follower) == expected != []


def test_a_store_that_refuses_ends_the_watching(
    run: Stored, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.begin()
    Failing(ObjectStore.entries, [RecordError("403 Forbidden")]).put(monkeypatch, ObjectStore, "entries")

    said = watch(capsys, run.settings.identity.uid, "--record", run.root)

    assert (said.code, said.err[-1]) == (1, "error: 403 Forbidden")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_while_the_record_root_does_not_answer(number: int) -> None:
    with silent_server() as (url, asked):
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        env = {**keys, "AWS_ENDPOINT_URL": url}
        with watching("mine", "--record", "s3://records/ml", env=env) as process:
            assert asked.wait(60)
            process.send_signal(number)
            process.communicate(timeout=10)

    assert process.returncode == 130


def test_a_store_that_never_answers_does_not_outlast_the_timeout() -> None:
    with silent_server() as (url, _):
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        env = {**keys, "AWS_ENDPOINT_URL": url}
        with watching("mine", "--record", "s3://records/ml", "--timeout", 1, env=env) as process:
            _, err = process.communicate(timeout=25)

    assert process.returncode == 1
    assert "the store has not answered within 1 s" in err


def test_ctrl_c_leaves_the_run_alone_and_says_so(run: Stored) -> None:
    run.begin()
    for part in run.parts():
        run.put(part)
    with watching(run.settings.identity.name, "--record", run.root) as process:
        until(process, "waiting for the seal")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "the run goes on" in err
    assert err.endswith(f"Again: vaportrail watch {run.settings.identity.name} --record {run.root}\n")


def test_the_command_that_watches_again_has_the_options_that_were_given(tmp_path: Path) -> None:
    root = tmp_path / "my root"
    with watching("mine", "--record", root, "--timeout", 900, "--logs", "--json") as process:
        until(process, "to begin below")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert f"vaportrail watch mine --record '{root}' --timeout 900 --logs --json\n" in err


def test_a_record_root_of_the_environment_is_not_repeated(tmp_path: Path) -> None:
    with watching("mine", env={"VAPORTRAIL_RECORD": str(tmp_path)}) as process:
        until(process, "to begin below")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert err.endswith("Again: vaportrail watch mine\n")
