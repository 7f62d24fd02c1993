"""What an attempt left behind in its worker does not reach the next one there."""

from __future__ import annotations

import pytest

from conftest import PIPELINES, make_run
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run, TaskRun
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store

STREAMS = (
    "tee",
    "closed_file",
    "closed_stdout",
    "no_stdout",
    "bad_flush",
    "closed_descriptors",
    "other_descriptors",
)

STATE = (
    "folder", "removed_folder", "environment", "umask", "search_path", "arguments", "recursion_limit",
    "handlers", "ignored_signals", "timer", "root_level", "handlers_of_root", "configuration",
    "disabled_logging", "cut_logger", "record_factory", "captured_warnings", "warning_filters", "hooks",
    "language", "precision", "tracer_provider", "trace_function",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("leftovers")
    return make_run(folder, f"{PIPELINES / 'leftovers.py'}:leftovers", "--cpus", 1).run


@pytest.fixture(scope="module")
def pairs(run: Run) -> dict[str, tuple[TaskRun, TaskRun]]:
    """The task that left something, and the one that looked around after it."""
    return {name: (run.task(f"leaves-{n}"), run.task(f"looks-{n}")) for n, name in enumerate(STREAMS, 1)}


def test_they_shared_one_process(pairs: dict[str, tuple[TaskRun, TaskRun]]) -> None:
    assert len({task.params.get("pid") for pair in pairs.values() for task in pair}) == 1


@pytest.mark.parametrize("name", STREAMS)
def test_a_task_may_do_with_its_streams_as_it_likes(
    name: str, pairs: dict[str, tuple[TaskRun, TaskRun]]
) -> None:
    left, _ = pairs[name]

    assert left.outcome is Outcome.SUCCEEDED, left.attempts[0].failure
    assert [line.text for line in left.logs()][:1] == ["before"]


@pytest.mark.parametrize("name", STREAMS)
def test_the_next_tasks_output_is_recorded_all_the_same(
    name: str, pairs: dict[str, tuple[TaskRun, TaskRun]]
) -> None:
    _, looked = pairs[name]

    assert sorted(line.text for line in looked.logs()) == ["complained", "printed", "written"]


@pytest.mark.parametrize(
    ("task_id", "message"),
    [
        ("closes_its_record-1", "how it ended could not be recorded: the spool "),
        (f"looks-{len(STREAMS) + 1}", "the attempt could not begin: the spool "),
    ],
)
def test_an_attempt_whose_record_is_gone_fails_and_says_so(run: Run, task_id: str, message: str) -> None:
    (attempt,) = run.task(task_id).attempts

    assert attempt.outcome is Outcome.FAILED
    assert attempt.failure is not None
    assert message in attempt.failure.message


def test_a_tasks_arguments_are_none_of_rays(run: Run) -> None:
    assert run.task("finds-1").params["parsed"] == "Namespace()"


@pytest.mark.parametrize("name", STATE)
def test_what_a_task_changed_in_its_process_is_as_before_for_the_next(name: str, run: Run) -> None:
    number = STATE.index(name) + 1
    changed, found = run.task(f"changes-{number}"), run.task(f"finds-{number + 1}")

    assert changed.outcome is Outcome.SUCCEEDED, changed.attempts[0].failure
    assert found.params == run.task("finds-1").params
    assert [line.text for line in found.logs()] == ["logged"]


def test_a_breakpoint_fails_its_task_at_once_and_says_how_to_debug(run: Run) -> None:
    (attempt,) = run.task("debugged-1").attempts

    assert attempt.outcome is Outcome.FAILED
    assert attempt.failure is not None
    assert "to debug a task, call it outside of a run" in attempt.failure.message
    assert "leftovers.py" in attempt.failure.traceback


def test_what_a_thread_says_that_outlived_its_task_is_that_tasks(run: Run) -> None:
    left = run.task("leaves_threads-1")
    said = [line.text for line in left.logs()]

    assert left.outcome is Outcome.SUCCEEDED, left.attempts[0].failure
    assert {
        "before", "logged by it", "printed by it", "complained by it", "logged by what it started",
        "logged by work that was left", "printed by work that was left", "ValueError: raised by it",
    } <= set(said)  # fmt: skip
    assert left.metrics == {"left": 1}
    assert spans(run)["of the thread"][0] == left.attempts[0].span_id


def test_the_next_task_has_none_of_it_and_what_it_hands_to_a_pool_is_its_own(run: Run) -> None:
    beside = run.task("works_beside_them-1")

    assert beside.outcome is Outcome.SUCCEEDED, beside.attempts[0].failure
    assert sorted(line.text for line in beside.logs()) == [
        "logged in a pool that idled",
        "logged in a pool that was at work",
        "printed beside it",
        "printed in a pool",
    ]
    assert beside.metrics == {"own": 1}


def test_a_span_that_nobody_ended_ends_with_its_attempt_and_says_so(run: Run) -> None:
    (attempt,) = run.task("leaves_threads-1").attempts

    assert spans(run)["never ended"] == (attempt.span_id, "it was never ended")


def spans(run: Run) -> dict[str, tuple[str, str]]:
    """Return the parent of each span and the message of its status, by its name."""
    assert run.manifest is not None
    found = [record.body for record in sealed_records(open_store(run.uri), run.manifest, "traces")]
    return {span["name"]: (span.get("parentSpanId", ""), span["status"].get("message", "")) for span in found}
