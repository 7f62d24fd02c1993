"""One run on real Ray of what goes wrong around tasks' code, and of every option there is."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import PIPELINES, Sealed, make_run
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.reading.recorded_run import Run


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return make_run(tmp_path_factory.mktemp("faults"), f"{PIPELINES / 'faults.py'}:faults")


@pytest.fixture(scope="module")
def run(sealed: Sealed) -> Run:
    return sealed.run


def of_the_body(run: Run, name: str) -> Any:
    return {each.name: each.value for each in run.facts.params if not each.task}[name]


def failure(run: Run, task: str) -> Failure:
    found = run.task(task).attempts[-1].failure
    assert found is not None
    return Failure(found.type, found.message, found.traceback)


def test_an_exception_whose_class_the_driver_cannot_import_is_told_by_the_attempts_own_report(
    run: Run,
) -> None:
    told = failure(run, "raises_what_the_driver_cannot_import-1")

    assert run.task("raises_what_the_driver_cannot_import-1").outcome is Outcome.FAILED
    assert (told.type, told.message) == ("plug.PlugError", "from far away")
    assert of_the_body(run, "cause") == "None"


def test_a_value_whose_class_the_driver_cannot_import_goes_from_task_to_task(run: Run) -> None:
    assert of_the_body(run, "size of the value") == 3


def test_a_value_that_the_body_cannot_load_is_told_in_a_line_with_its_task(run: Run) -> None:
    assert str(of_the_body(run, "value")).startswith(
        "UsageError: the value of task 'returns_what_the_driver_cannot_import-1' cannot be loaded here: "
        "No module named 'plug'; hand it on to a task"
    )


def test_an_argument_that_cannot_be_loaded_is_not_called_a_result(run: Run) -> None:
    told = failure(run, "takes-1")

    assert told.type == "ModuleNotFoundError"
    assert "result" not in told.message
    assert "No module named 'a_module_that_nobody_has'" in told.message


@pytest.mark.parametrize("task", ["leaves_in_peace-1", "leaves_without_a_word-1"])
def test_a_task_that_leaves_python_in_peace_succeeds_as_the_body_does(run: Run, task: str) -> None:
    assert run.task(task).outcome is Outcome.SUCCEEDED


def test_a_failure_of_nested_ray_work_is_told_whole_and_without_colours(run: Run) -> None:
    told = failure(run, "nested-1")

    assert (told.type, told.message) == ("ValueError", "bad, and the whole of it")
    assert "\x1b" not in told.traceback
    assert "in bad" in told.traceback


def test_isolated_attempts_run_in_processes_of_their_own(run: Run) -> None:
    assert of_the_body(run, "processes") == 2


def test_every_option_together_does_what_it_says(run: Run) -> None:
    attempts = run.task("everything-1").attempts

    assert of_the_body(run, "all options") == "12"
    assert [attempt.outcome for attempt in attempts] == [Outcome.FAILED, Outcome.SUCCEEDED]


def test_the_verdict_counts_what_failed_and_nothing_else(run: Run) -> None:
    assert run.facts.verdict.message == (
        "raises_what_the_driver_cannot_import-1 FAILED, takes-1 FAILED, nested-1 FAILED; "
        f"{len(run.tasks) - 3} of {len(run.tasks)} tasks succeeded"
    )
