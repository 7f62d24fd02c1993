"""Runs that are stopped from outside: Ctrl-C, SIGTERM, SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import CLI, PIPELINES, Cli
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.read import list_runs

DEADLINE = 60


@contextmanager
def endless_run(folder: Path, *before: str) -> Iterator[subprocess.Popen[str]]:
    """A run of the endless pipeline whose task `forever` is running, in a session of its own.

    Args:
        folder: where it runs.
        before: a command that starts the command line.
    """
    command = [*before, str(CLI), "run", f"{PIPELINES / 'endless.py'}:endless", "-p", f"signs={folder}"]
    process = subprocess.Popen(
        [*command, "--record", str(folder / "root")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=folder,
    )
    try:
        until((folder / "forever").exists, process)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the run ended early: {process.communicate()}")
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


ENDS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "a terminal that hangs up": signal.SIGHUP}


@pytest.mark.parametrize("number", ENDS.values(), ids=ENDS)
def test_a_cancelled_run_cleans_up_seals_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    with endless_run(tmp_path) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE)

    (run,) = list_runs(str(tmp_path / "root"))
    assert process.returncode == 130, err
    assert run.sealed
    assert run.outcome is Outcome.CANCELLED
    assert {t.id: t.outcome for t in run.tasks} == {
        "quick-1": Outcome.SUCCEEDED,
        "forever-1": Outcome.CANCELLED,
        "never-1": Outcome.CANCELLED,
        "slow_notebook-1": Outcome.CANCELLED,
    }
    assert "cleaning up" in [line.text for line in run.task("forever-1").logs()]
    assert not (tmp_path / "root" / "spool").exists()
    assert gone(int((tmp_path / "child.pid").read_text()))
    assert out.startswith(("CANCELLED", "\n")) or "CANCELLED" in out


def test_a_run_in_the_background_goes_on_at_what_it_was_told_to_ignore(tmp_path: Path) -> None:
    # What a shell without job control does with `nohup vaportrail run … &`.
    shell = ("sh", "-c", 'trap "" INT HUP; exec "$@"', "sh")
    with endless_run(tmp_path, *shell) as process:
        # A second signal that is heard would end it at once, unsealed.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE)

    (run,) = list_runs(str(tmp_path / "root"))
    assert (process.returncode, run.sealed, run.outcome) == (130, True, Outcome.CANCELLED), err
    assert err.count("cancelling the run") == 1


def test_a_run_that_is_cancelled_before_ray_is_up_is_sealed_all_the_same(tmp_path: Path) -> None:
    root = tmp_path / "root"
    command = [str(CLI), "run", f"{PIPELINES / 'endless.py'}:endless", "-p", f"signs={tmp_path}"]
    process = subprocess.Popen(
        [*command, "--record", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: list(root.glob("spool/*/run.json")), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)

    (run,) = list_runs(str(root))
    assert process.returncode == 130, err
    assert run.sealed
    assert run.outcome is Outcome.CANCELLED
    assert "Traceback" not in err


def test_a_second_ctrl_c_stops_at_once_and_what_there_is_can_be_sealed(tmp_path: Path, cli: Cli) -> None:
    with endless_run(tmp_path) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        for line in process.stderr:
            if "cancelling the run" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE)

    assert process.returncode == 130
    sealed = cli("seal", "--all", "--record", tmp_path / "root")
    assert sealed.code == 0, sealed.err
    (run,) = list_runs(str(tmp_path / "root"))
    assert run.outcome is Outcome.RUNNER_LOST


def test_a_live_run_can_be_read_and_not_be_sealed(tmp_path: Path, cli: Cli) -> None:
    with endless_run(tmp_path) as process:
        root = tmp_path / "root"
        listed = cli("ls", "--record", root)
        shown = cli("show", "--record", root)
        until(lambda: "running after 1" in cli("logs", "--record", root).out, process)
        (run,) = list_runs(str(root))
        refused = cli("seal", run.facts.run.uid[:8], "--record", root)

        assert "running" in listed.out
        assert shown.out.startswith("UNFINISHED")
        assert refused.code == 1
        assert f"is still alive (process {process.pid})" in refused.err


@pytest.fixture(scope="module")
def killed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record root of a run that was killed with everything it had started."""
    folder = tmp_path_factory.mktemp("killed")
    with endless_run(folder) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=DEADLINE)
    child = int((folder / "child.pid").read_text())
    until(lambda: gone(child))
    return folder / "root"


def test_a_killed_run_is_listed_as_lost_and_sealed_into_a_verified_record_that_says_so(
    killed_root: Path, cli: Cli
) -> None:
    listed = cli("ls", "--record", killed_root)
    waiting = cli("seal", "--record", killed_root)
    (before,) = list_runs(str(killed_root))
    sealed = cli("seal", before.facts.run.uid[:8], "--record", killed_root)
    (run,) = list_runs(str(killed_root))

    assert "RUNNER_LOST" in listed.out
    assert "not sealed" in listed.out
    assert "its runner is gone" in waiting.out
    assert sealed.code == 0, sealed.err
    assert sealed.out.startswith("RUNNER_LOST")
    assert run.sealed
    assert "the runner died before it ended the run" in run.facts.verdict.message
    assert {t.id: t.outcome for t in run.tasks} == {
        "quick-1": Outcome.SUCCEEDED,
        "forever-1": Outcome.RUNNER_LOST,
        "never-1": Outcome.RUNNER_LOST,
        "slow_notebook-1": Outcome.RUNNER_LOST,
    }
    assert run.task("forever-1").metrics == {"alive": 1}
    assert "running after 1" in [line.text for line in run.task("forever-1").logs()]
    assert run.facts.counts.loss == "None"
    assert cli("verify", run.uri, "--rebuild").code == 0
    assert not (killed_root / "spool").exists()
