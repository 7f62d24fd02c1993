"""One run in which tasks fail in every way there is: what each leaves in the record."""

from __future__ import annotations

import pytest

from conftest import Cli, Sealed
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run, TaskRun
from vaportrail.record.rows import AttemptInfo
from vaportrail.record.times import from_rfc3339


@pytest.fixture(scope="module")
def run(failures: Sealed) -> Run:
    return failures.run


def last_attempt(task: TaskRun) -> AttemptInfo:
    return task.attempts[-1]


def lines(task: TaskRun) -> list[str]:
    return [line.text for line in task.logs()]


def test_the_exit_code_of_a_failed_run_is_one(failures: Sealed) -> None:
    assert failures.finished.code == 1


def test_the_verdict_names_what_failed_first_and_how_much_succeeded(run: Run) -> None:
    verdict = run.facts.verdict

    assert verdict.outcome is Outcome.FAILED
    assert verdict.message.startswith("raises-1 FAILED, ")
    assert f"of {len(run.tasks)} tasks succeeded" in verdict.message


@pytest.mark.parametrize(
    ("task", "outcome"),
    [
        ("raises-1", Outcome.FAILED),
        ("odd-1", Outcome.FAILED),
        ("flaky-1", Outcome.SUCCEEDED),
        ("not_worth_a_retry-1", Outcome.FAILED),
        ("sleeps-1", Outcome.TIMED_OUT),
        ("deaf-1", Outcome.TIMED_OUT),
        ("killed-1", Outcome.WORKER_LOST),
        ("exits-1", Outcome.WORKER_LOST),
        ("asks_to_exit-1", Outcome.FAILED),
        ("unpicklable-1", Outcome.FAILED),
        ("may_fail-1", Outcome.FAILED),
        ("broken_notebook-1", Outcome.FAILED),
        ("slow_notebook-1", Outcome.TIMED_OUT),
        ("independent-1", Outcome.SUCCEEDED),
    ],
)
def test_every_way_to_end_has_its_own_outcome(run: Run, task: str, outcome: Outcome) -> None:
    assert run.task(task).outcome is outcome
    assert last_attempt(run.task(task)).outcome is outcome


def test_a_raised_exception_is_told_with_the_users_frames_only_and_all_of_them(run: Run) -> None:
    failure = last_attempt(run.task("raises-1")).failure

    assert failure is not None
    assert (failure.type, failure.message) == ("ValueError", "the very bottom")
    frames = [line.strip() for line in failure.traceback.splitlines() if line.strip().startswith("File ")]
    assert [frame.rsplit(" ", 1)[1] for frame in frames] == ["raises", "deeper", "deeper", "deeper", "deeper"]
    assert all("failures.py" in frame for frame in frames)


def test_an_exception_that_cannot_be_rebuilt_is_told_all_the_same(run: Run) -> None:
    failure = last_attempt(run.task("odd-1")).failure

    assert failure is not None
    assert (failure.type, failure.message) == ("failures.Odd", "this and that")


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("raises-1", ["a warning before raising", "before raising"]),
        ("sleeps-1", ["before sleeping"]),
        ("deaf-1", ["before going deaf"]),
        ("killed-1", ["a warning before the kill", "before the kill", "half a line"]),
        ("exits-1", ["before os._exit"]),
        ("broken_notebook-1", 2 * ["before the failing cell, x = 1"]),  # one of each attempt
        ("slow_notebook-1", ["before the slow cell"]),
    ],
)
def test_lines_from_before_the_end_are_in_the_record(run: Run, task: str, expected: list[str]) -> None:
    assert sorted(lines(run.task(task))) == sorted(expected)


def test_what_was_logged_before_an_exception_is_kept(run: Run) -> None:
    assert run.task("raises-1").metrics == {"reached": 1}


def test_downstream_of_a_failure_is_skipped_and_says_because_of_what(run: Run) -> None:
    skipped = {task.id: task.info.cause for task in run.tasks if task.outcome is Outcome.SKIPPED}

    assert skipped == {
        "needs-1": "raises-1",
        "needs-2": "needs-1",
        "needs-3": "may_fail-1",
        "needs-4": "broken_notebook-1",
    }
    assert all(not run.task(task).attempts for task in skipped)


def test_a_retried_task_keeps_every_attempt(run: Run) -> None:
    attempts = run.task("flaky-1").attempts

    assert [attempt.outcome for attempt in attempts] == [Outcome.FAILED, Outcome.FAILED, Outcome.SUCCEEDED]
    assert [a.failure.message for a in attempts if a.failure is not None] == ["try 0", "try 1"]


def test_an_exception_that_is_not_worth_a_retry_is_not_retried(run: Run) -> None:
    assert len(run.task("not_worth_a_retry-1").attempts) == 1


def test_the_clock_of_a_timeout_does_not_run_while_an_attempt_queues(run: Run) -> None:
    queued = [task for task in run.tasks if task.name == "queued"]
    waited = [from_rfc3339(last_attempt(t).ended) - from_rfc3339(t.info.submitted) for t in queued]

    assert max(waited) > 3e9, "none of them queued longer than its timeout, so this shows nothing"
    assert {task.outcome for task in queued} == {Outcome.SUCCEEDED}


@pytest.mark.parametrize("task", ["sleeps-1", "raises-1"])
def test_a_traceback_ends_where_the_users_code_was(run: Run, task: str) -> None:
    failure = last_attempt(run.task(task)).failure

    assert failure is not None
    assert "vaportrail/execution" not in failure.traceback


def test_a_notebook_is_retried_on_the_exceptions_that_it_names(run: Run) -> None:
    assert len(run.task("broken_notebook-1").attempts) == 2


def test_a_secret_in_a_tasks_own_environment_is_not_recorded(run: Run) -> None:
    assert lines(run.task("tells_a_secret-1")) == ["the token is [redacted:API_TOKEN]"]


def test_a_task_that_hears_nothing_is_ended_with_its_stack_written_down(run: Run) -> None:
    failure = last_attempt(run.task("deaf-1")).failure

    assert failure is not None
    assert "did not hear the signal" in failure.message
    assert "in deaf" in failure.traceback


def test_a_value_that_cannot_be_sent_on_fails_the_task_that_returned_it(run: Run) -> None:
    failure = last_attempt(run.task("unpicklable-1")).failure

    assert failure is not None
    assert failure.message.startswith("the generator that the task returned cannot be sent on")


def test_a_task_that_asks_for_more_than_there_is_fails_and_says_what_it_asked_for(run: Run) -> None:
    failure = last_attempt(run.task("too_much-1")).failure

    assert failure is not None
    assert failure.traceback == ""
    assert failure.message.startswith("it asks for 1000 of GPU, of which this Ray has 0 in all")


def test_a_failing_cell_is_told_with_the_cells_own_traceback(run: Run) -> None:
    failure = last_attempt(run.task("broken_notebook-1")).failure

    assert failure is not None
    assert failure.type == "ZeroDivisionError"
    assert "in divide" in failure.traceback
    assert 'File "broken_notebook.py, cell 3"' in failure.traceback
    assert "IPython" not in failure.traceback


@pytest.mark.parametrize("task", ["broken_notebook-1", "slow_notebook-1"])
def test_a_partly_run_notebook_is_kept(run: Run, task: str) -> None:
    artifacts = run.task(task).artifacts()

    assert set(artifacts) == {"notebook.ipynb", "notebook.html"}
    assert b"before the" in artifacts["notebook.ipynb"].read()


def test_a_notebook_that_timed_out_says_in_which_cell(run: Run) -> None:
    failure = last_attempt(run.task("slow_notebook-1")).failure

    assert failure is not None
    assert failure.message.endswith("in cell 2")
    assert "time.sleep(60)" in failure.traceback


def test_nothing_was_lost_although_processes_died(run: Run) -> None:
    counts = run.facts.counts

    assert counts.loss == "None"
    assert counts.synthesised_spans > 0
    assert counts.recovered_lines > 0


def test_the_command_line_prints_each_failure_with_its_traceback(failures: Sealed, cli: Cli) -> None:
    shown = cli("show", failures.uri)

    assert "WORKER_LOST killed-1, attempt 1" in shown.out
    assert "ValueError: the very bottom" in shown.out
