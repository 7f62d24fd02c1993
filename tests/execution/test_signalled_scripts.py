"""A script that calls `Pipeline.run` is ended by a signal as any program, once its run is sealed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PIPELINES
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.read import list_runs

SCRIPT = """
import os, signal, sys, time
from contextlib import nullcontext
from thread_backend import InThreads
from vaportrail import pipeline
from vaportrail.execution import run as module

module.RayBackend = lambda *args, **kwargs: InThreads()
module.embedded_ray = nullcontext
number = int(sys.argv[2])

{before}

@pipeline
def flow():
    {body}

if not {thread}:
    run = flow.run(record=sys.argv[1])
else:
    import threading
    other = threading.Thread(target=lambda: flow.run(record=sys.argv[1]))
    other.start()
    other.join()
print("went on", signal.getsignal(number) is signal.SIG_DFL)
"""
SIGNALLED = "os.kill(os.getpid(), number); time.sleep(30)"
TWICE = """try:
        os.kill(os.getpid(), number); time.sleep(30)
    finally:
        os.kill(os.getpid(), number); time.sleep(30)"""


def script(
    root: Path, number: int, body: str = SIGNALLED, before: str = "", *, thread: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT.format(body=body, before=before, thread=thread),
            str(root),
            str(int(number)),
        ],
        env={**os.environ, "PYTHONPATH": str(PIPELINES.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_signal_cancels_and_seals_the_run_and_then_ends_the_script(tmp_path: Path, number: int) -> None:
    ended = script(tmp_path, number)

    (run,) = list_runs(str(tmp_path))
    assert (run.sealed, run.outcome) == (True, Outcome.CANCELLED)
    assert (ended.returncode, ended.stdout) == (-number, ""), ended.stderr


def test_a_second_signal_ends_the_script_at_once(tmp_path: Path) -> None:
    number = signal.SIGTERM
    ended = script(tmp_path, number, TWICE)

    (run,) = list_runs(str(tmp_path))
    assert not run.sealed
    assert (ended.returncode, ended.stdout) == (-number, ""), ended.stderr


def test_what_hinders_the_seal_is_told_before_the_signal_ends_the_script(tmp_path: Path) -> None:
    broken = "from vaportrail.record.seal import local_seal; local_seal.seal_spool = lambda *_, **__: 1 / 0"
    ended = script(tmp_path, signal.SIGTERM, before=broken)

    assert ended.returncode == -signal.SIGTERM
    assert "ZeroDivisionError" in ended.stderr


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: print('mine')"])
def test_a_signal_that_the_script_itself_takes_or_ignores_is_left_to_it(tmp_path: Path, handler: str) -> None:
    ended = script(
        tmp_path, signal.SIGHUP, "os.kill(os.getpid(), number)", f"signal.signal(number, {handler})"
    )

    (run,) = list_runs(str(tmp_path))
    assert run.outcome is Outcome.SUCCEEDED
    assert ended.stdout.splitlines()[-1] == "went on False", ended.stderr


@pytest.mark.parametrize("thread", [False, True], ids=["main thread", "another thread"])
def test_a_run_that_no_signal_ends_leaves_the_handlers_as_they_were(tmp_path: Path, thread: bool) -> None:
    ended = script(tmp_path, signal.SIGTERM, "pass", thread=thread)

    assert (ended.returncode, ended.stdout) == (0, "went on True\n"), ended.stderr
