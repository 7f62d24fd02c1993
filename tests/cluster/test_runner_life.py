"""What a runner's container does from its start to its end, on a real Ray cluster."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.record.reading.recorded_run import Run

if TYPE_CHECKING:
    from tests.cluster.conftest import Head, Runner, Runners

WRONG_REQUEST = '{"identity": {"parameters": {"password": "hunter2"}}}'
NESTED = """
from pathlib import Path
from beside import VALUE
from vaportrail import log, pipeline, task

@task
def read() -> str:
    from beside import VALUE
    return VALUE + Path("data/text.txt").read_text()

@pipeline
def nested() -> None:
    log.param("read", read().__class__.__name__)
"""


@pytest.fixture(scope="module")
def succeeded(head: Head, runners: Runners) -> Runner:
    """A run that succeeded, from its request to the runner's end."""
    runner = runners(head, {"n": "3", "secret": "not-to-be-seen"})
    assert runner.end() == 0, runner.err
    return runner


@pytest.fixture(scope="module")
def record(succeeded: Runner) -> Run:
    """Its record."""
    return succeeded.sealed()


def test_a_run_that_succeeds_says_so_and_when_it_joined_and_ran(succeeded: Runner) -> None:
    answer = succeeded.report
    moments = [answer.joined, answer.user_code_started, answer.user_code_ended]

    assert (answer.outcome, answer.message) == (Outcome.SUCCEEDED, "3 of 3 tasks succeeded")
    assert [datetime.fromisoformat(m) for m in moments] == sorted(datetime.fromisoformat(m) for m in moments)


def test_its_record_holds_what_was_fixed_before_it_and_the_parameters_as_validated(record: Run) -> None:
    run = record.facts.run

    assert (run.uid[:8] in record.uri, run.name, run.pipeline) == (True, "my-run", "flow")
    assert (run.created, run.tags) == ("2023-11-14T22:13:20.000000000Z", {"team": "vision"})
    assert run.parameters == {"n": 3, "fail": False, "hang": False, "secret": "<hidden>"}


def test_its_record_holds_what_the_workers_did_and_the_moment_of_the_join(record: Run) -> None:
    names = [milestone.name for milestone in record.facts.timeline]

    assert {task.id: task.outcome for task in record.tasks} == dict.fromkeys(
        ["double-1", "double-2", "double-3"], Outcome.SUCCEEDED
    )
    assert [line.text for line in record.logs(task="double-2")] == ["doubling 1"]
    assert record.facts.counts.loss == "None"
    assert names == ["joined", "ray started", "pipeline started", "pipeline ended", "ray stopped"]


def test_its_port_is_open_while_the_users_code_runs(record: Run) -> None:
    assert {value.name: value.value for value in record.facts.params}["ready"] is True


def test_the_bodys_output_goes_to_the_containers_log(succeeded: Runner) -> None:
    assert succeeded.out == "first line\n"


def test_what_the_pipeline_returned_stands_in_the_containers_log(succeeded: Runner) -> None:
    assert "result: [0, 2, 4]" in succeeded.err


def test_the_record_root_says_which_run_it_is_without_what_is_hidden(succeeded: Runner) -> None:
    text = (succeeded.root / "spool" / succeeded.uid / "run.json").read_text()

    assert RunSettings.from_json(text).identity.parameters["n"] == 3
    assert "not-to-be-seen" not in text


def test_a_runner_leaves_no_process_behind(succeeded: Runner) -> None:
    # Its descendants have its environment; other runners may be at work beside it.
    answers = [process.environ().get("VAPORTRAIL_TERMINATION_MESSAGE") for process in _readable()]

    assert str(succeeded.folder / "answer") not in answers


def _readable() -> list[psutil.Process]:
    def readable(process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and bool(process.environ())
        except (psutil.Error, OSError):
            return False

    return [process for process in psutil.process_iter() if readable(process)]


@pytest.fixture(scope="module")
def failed(head: Head, runners: Runners) -> Runner:
    """A run with a task that fails, and one whose process its time limit had to end."""
    runner = runners(head, {"fail": True})
    runner.end()
    return runner


def test_a_pipeline_that_fails_ends_the_container_with_1_and_the_record_says_why(failed: Runner) -> None:
    assert failed.process.returncode == 1, failed.err
    assert (failed.report.outcome, failed.report.message) == (
        Outcome.FAILED,
        "broken-1 FAILED, deaf-1 TIMED_OUT; 2 of 4 tasks succeeded",
    )
    (attempt,) = failed.sealed().task("broken-1").attempts
    assert attempt.failure is not None
    assert attempt.failure.message == "no good"


def test_an_attempt_that_its_time_limit_ended_is_told_from_one_that_was_lost(failed: Runner) -> None:
    (attempt,) = failed.sealed().task("deaf-1").attempts

    assert attempt.outcome is Outcome.TIMED_OUT
    assert attempt.failure is not None
    assert "did not hear the signal" in attempt.failure.message
    assert "flow.py" in attempt.failure.traceback


def test_sigterm_cancels_the_run_whose_tasks_can_still_clean_up(head: Head, runners: Runners) -> None:
    runner = runners(head, {"hang": True})
    runner.said("hanging")

    runner.process.send_signal(signal.SIGTERM)

    assert runner.end() == 130, runner.err
    assert runner.report.outcome is Outcome.CANCELLED
    run = runner.sealed()
    assert (run.outcome, run.task("forever-1").outcome) == (Outcome.CANCELLED, Outcome.CANCELLED)


def test_a_run_whose_time_is_over_is_ended(head: Head, runners: Runners) -> None:
    runner = runners(head, {"hang": True}, run_seconds=3)

    assert runner.end() == 1, runner.err
    assert runner.report.outcome is Outcome.TIMED_OUT
    assert runner.report.message.startswith("ran longer than its limit of 3 s; ")
    assert runner.sealed().outcome is Outcome.TIMED_OUT


def test_a_bad_parameter_ends_the_container_with_2_and_names_it(head: Head, runners: Runners) -> None:
    runner = runners(head, {"m": 1, "secret": "not-to-be-seen"})

    assert runner.end() == 2, runner.err
    assert "unknown parameter 'm'" in runner.report.message
    assert runner.report.joined == ""
    run = runner.sealed()
    assert (run.outcome, "unknown parameter 'm'" in run.facts.verdict.message) == (Outcome.FAILED, True)
    assert run.parameters == {"m": 1, "secret": "<hidden>"}


def test_code_that_cannot_be_imported_ends_the_container_with_2_and_its_traceback_is_kept(
    head: Head, runners: Runners, tmp_path: Path
) -> None:
    (tmp_path / "flow.py").write_text("import not_installed_here\n")
    runner = runners(head, source={"folder": str(tmp_path)})

    assert runner.end() == 2, runner.err
    assert "needs 'not_installed_here', which is not installed" in runner.report.message
    failure = runner.sealed().facts.verdict.failure
    assert failure is not None
    assert "import not_installed_here" in failure.traceback


def test_a_head_that_is_never_there_ends_the_run_with_what_was_tried(runners: Runners, head: Head) -> None:
    runner = runners(head, head="no-such-head.invalid", join_seconds=1)

    assert runner.end() == 1, runner.err
    message = runner.report.message
    assert "no Ray cluster was joined within 1 s: head no-such-head.invalid:" in message
    assert "has no address yet" in message
    assert runner.sealed().facts.verdict.message == message


def test_sigterm_while_the_cluster_is_joined_cancels_the_run(runners: Runners, head: Head) -> None:
    runner = runners(head, head="no-such-head.invalid")
    _until_announced(runner)

    runner.process.send_signal(signal.SIGTERM)

    assert runner.end() == 130, runner.err
    assert runner.sealed().outcome is Outcome.CANCELLED


def _until_announced(runner: Runner) -> None:
    assert runner.process.stderr is not None
    for line in runner.process.stderr:
        if "starting Ray" in line:
            return
    raise AssertionError("it ended")


def test_a_second_runner_of_the_same_run_is_refused(succeeded: Runner, head: Head, runners: Runners) -> None:
    runner = runners(head, root=str(succeeded.root), identity=_identity(succeeded))

    assert runner.end() == 1, runner.err
    assert "another runner has begun this run" in runner.report.message


def _identity(runner: Runner) -> dict[str, object]:
    said = json.loads((runner.root / "spool" / runner.uid / "run.json").read_text())["identity"]
    return {**said, "parameters": {"n": 1}}


def test_a_mounted_folder_with_modules_and_data_beside_reaches_the_workers(
    head: Head, runners: Runners, tmp_path: Path
) -> None:
    code = tmp_path / "..2026_11_23" / "code"
    (code / "data").mkdir(parents=True)
    (code / "pipeline.py").write_text(NESTED)
    (code / "beside.py").write_text("VALUE = 'beside'\n")
    (tmp_path / "..data").symlink_to("..2026_11_23")
    (tmp_path / "code").symlink_to("..data/code")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text.txt").write_text(" and a file")
    runner = runners(
        head,
        source={"folder": str(tmp_path)},
        identity={
            "uid": str(uuid.uuid4()),
            "pipeline": "flow",
            "name": "nested",
            "created_unix_nano": 1,
            "entrypoint": "code/pipeline.py:nested",
        },
    )

    assert runner.end() == 0, runner.err
    assert runner.sealed().task("read-1").outcome is Outcome.SUCCEEDED


def test_a_request_that_is_none_is_answered_with_2(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    done = subprocess.run(
        [str(Path(sys.executable).with_name("vaportrail")), "runner"],
        env={"VAPORTRAIL_RUN_REQUEST": WRONG_REQUEST, "VAPORTRAIL_TERMINATION_MESSAGE": str(answer)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    message = json.loads(answer.read_text())["message"]
    assert message.startswith("VAPORTRAIL_RUN_REQUEST is not a request to run a pipeline: identity.uid: ")
    assert "hunter2" not in message + done.stderr
