"""Runners that end before the pipeline begins: signals that come early, stores that do not answer."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from silent_server import silent_server
from vaportrail.cluster.cluster_run import drive
from vaportrail.cluster.join import Join
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import RunRequest
from vaportrail.contract.run_identity import RunIdentity
from vaportrail.execution.observers import NoProgress
from vaportrail.execution.run_cancellation import Cancellation
from vaportrail.record.facts import build_facts
from vaportrail.record.manifest import VerdictInfo
from vaportrail.record.spooled import live_records

if TYPE_CHECKING:
    from tests.cluster.conftest import Head, Runner, Runners

HOLD = """
import os, sys

class Hold:
    def find_spec(self, name, path=None, target=None):
        if name == "vaportrail.contract.pod_messages":
            sys.meta_path.remove(self)
            print("loading", flush=True)
            open(gate).read()

gate = os.environ.pop("GATE", "")  # the processes that it starts are not held
if gate:
    sys.meta_path.insert(0, Hold())
"""


@pytest.fixture
def nobody() -> Head:
    """A head that is never there."""
    from tests.cluster.conftest import Head

    return Head(port=1, token="")


def verdict(spool: Path) -> VerdictInfo:
    return build_facts(live_records(spool)).verdict


def test_sigterm_while_the_runner_still_loads_what_it_needs_cancels_the_run(
    nobody: Head, runners: Runners, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "sitecustomize.py").write_text(HOLD)
    runner = runners(nobody, environment={"PYTHONPATH": str(tmp_path), "GATE": str(gate)})
    runner.said("loading")

    runner.process.send_signal(signal.SIGTERM)
    gate.write_text("go on")

    assert runner.end() == 130, runner.err
    assert runner.report.outcome is Outcome.CANCELLED
    assert runner.report.message == "cancelled before the pipeline began"
    assert runner.sealed().outcome is Outcome.CANCELLED


def in_a_bucket(url: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }


def cancelled(runner: Runner, asked: threading.Event) -> float:
    """Send SIGTERM as soon as a server was asked; return how many seconds the runner took to end."""
    assert asked.wait(60)
    begun = time.monotonic()
    runner.process.send_signal(signal.SIGTERM)
    assert runner.end() == 130, runner.err
    return time.monotonic() - begun


def test_sigterm_is_heard_while_the_record_root_does_not_answer(nobody: Head, runners: Runners) -> None:
    with silent_server() as (url, asked):
        runner = runners(nobody, environment=in_a_bucket(url), root="s3://records/ml")
        seconds = cancelled(runner, asked)

    assert seconds < 5
    assert runner.report.message == "cancelled before the pipeline began"
    assert verdict(runner.spool).outcome is Outcome.CANCELLED


@pytest.mark.parametrize("kind", ["s3", "http", "git"])
def test_sigterm_is_heard_while_the_source_does_not_come(nobody: Head, runners: Runners, kind: str) -> None:
    with silent_server() as (url, asked):
        address = "s3://code/a.zip" if kind == "s3" else f"{url}/a.zip"
        source: dict[str, Any] = {"archive": {"uri": address, "sha256": "0" * 64}}
        if kind == "git":
            source = {"git": {"url": f"{url}/a.git"}}
        runner = runners(nobody, environment=in_a_bucket(url), source=source)
        seconds = cancelled(runner, asked)

    assert seconds < 5
    assert verdict(runner.spool).outcome is Outcome.CANCELLED


def test_a_run_that_is_refused_is_recorded_before_its_silent_record_root_is_told(
    nobody: Head, runners: Runners
) -> None:
    with silent_server() as (url, asked):
        folder = {"folder": "/nowhere"}
        runner = runners(nobody, environment=in_a_bucket(url), root="s3://records/ml", source=folder)
        assert asked.wait(60)
        recorded = verdict(runner.spool)
        assert runner.end() == 2, runner.err

    assert "'/nowhere' cannot be read" in recorded.message
    assert runner.report.message == f"{recorded.message} (and: s3://records/ml did not answer within 5 s)"


@contextmanager
def denying_server() -> Iterator[str]:
    """Yield the URL of a store that lets nobody write."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_GET = do_HEAD = do_PUT

        def log_message(self, *_args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_record_root_that_takes_nothing_is_told_so_that_no_sealer_need_try(
    nobody: Head, runners: Runners
) -> None:
    with denying_server() as url:
        runner = runners(nobody, environment=in_a_bucket(url), root="s3://records/ml")
        assert runner.end() != 0

    assert runner.report.unwritable
    assert runner.report.message.startswith("cannot write s3://records/ml/spool/")
    assert "403" in runner.report.message
    assert not runner.report.user_code_started


def test_a_folder_that_takes_nothing_is_told_likewise(nobody: Head, runners: Runners, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    runner = runners(nobody, root=str(tmp_path / "file" / "root"))
    assert runner.end() != 0

    assert runner.report.unwritable
    assert "Not a directory" in runner.report.message


def test_a_secret_without_the_names_of_keys_is_told_by_its_name_and_at_once(
    nobody: Head, runners: Runners, tmp_path: Path
) -> None:
    (tmp_path / "access_key").write_text("a")
    store = {"root": "s3://records/ml", "folder": str(tmp_path), "secret": "wrong-keys"}
    runner = runners(nobody, environment={"VAPORTRAIL_STORE": json.dumps(store)}, root="s3://records/ml")
    assert runner.end() == 2

    assert runner.report.unwritable
    assert "wrong-keys" in runner.report.message
    assert "no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY" in runner.report.message


def test_a_run_that_is_refused_for_its_source_can_be_sealed(nobody: Head, runners: Runners) -> None:
    runner = runners(nobody, source={"folder": "/nowhere"})
    assert runner.end() == 2

    assert not runner.report.unwritable


def test_an_error_that_nobody_foresaw_is_recorded_with_its_traceback(tmp_path: Path) -> None:
    def load(_entrypoint: str) -> Any:
        raise zlib.error("incorrect header check")

    request = RunRequest(
        identity=RunIdentity(
            uid="4f1c", pipeline="flow", name="first", created_unix_nano=1, entrypoint="flow:flow"
        ),
        root=str(tmp_path / "root"),
        path="runs/flow/4f1c",
        head="nobody.invalid",
    )

    ended = drive(
        request,
        Join("nobody.invalid", 1, 0, tmp_path),
        load=load,
        spool=tmp_path / "spool",
        ready_port=0,
        progress=NoProgress(),
        cancellation=Cancellation(),
    )

    said = verdict(tmp_path / "spool" / "4f1c")
    assert (ended.report.outcome, ended.bad_input) == (Outcome.FAILED, False)
    assert ended.report.message == said.message == "the runner failed: error: incorrect header check"
    assert said.failure is not None
    assert "in load" in said.failure.traceback
