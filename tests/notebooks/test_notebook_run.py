"""Notebooks of many kinds, in real kernels, as tasks of one run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import PIPELINES, Sealed, make_run
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.reading.recorded_run import Run, TaskRun
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store

OTHER_KERNEL = {"argv": ["/bin/false"], "display_name": "Python 3", "language": "python"}
PROMPTS = [f"{number} {'x' * 900}" for number in range(400)]
"""More than a single environment variable can hold."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a kernel of the user's own that is called as Python's is."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / ".local" / "share" / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(OTHER_KERNEL))
    return home


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Sealed:
    root = tmp_path_factory.mktemp("notebooks")
    (root / "params.yaml").write_text(json.dumps({"prompts": PROMPTS}))
    entrypoint = f"{PIPELINES / 'notebook_cases.py'}:notebooks"
    return make_run(root, entrypoint, "-P", root / "params.yaml", env={"HOME": str(home)})


@pytest.fixture(scope="module")
def run(sealed: Sealed) -> Run:
    return sealed.run


@pytest.fixture(scope="module")
def spans(run: Run) -> list[dict[str, Any]]:
    assert run.manifest is not None
    found = sealed_records(open_store(run.uri), run.manifest, "traces")
    return [dict(record.body) for record in found]


def outputs(run: Run, keeper: str) -> Any:
    return json.loads(run.task(keeper).artifacts()["outputs.json"].read())


def failure(task: TaskRun) -> Failure:
    found = task.attempts[-1].failure
    assert found is not None
    return Failure(found.type, found.message, found.traceback)


def cells(task: TaskRun) -> list[Any]:
    notebook = json.loads(task.artifacts()["notebook.ipynb"].read())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def lines(task: TaskRun) -> list[str]:
    return [line.text for line in task.logs()]


def test_a_long_name_and_large_parameters_of_the_run_keep_no_notebook_from_running(run: Run) -> None:
    assert outputs(run, "keep-1")["prompts"] == len(PROMPTS)


def test_parameters_may_be_called_as_what_sets_them_is(run: Run) -> None:
    assert {**outputs(run, "keep-1"), "prompts": None} == {
        "prompts": None,
        "upstream": ["a", "b"],
        "both": [1, 2],
        "own": "self",
    }


def test_outputs_are_those_of_the_calls_that_returned_as_they_were_then(run: Run) -> None:
    assert outputs(run, "keep-2") == {"good": 1, "rows": ["as it was"], "late": 3}


def test_an_output_that_cannot_leave_raises_in_its_cell_and_is_named(run: Run) -> None:
    [error] = [output for output in cells(run.task("outputs-1"))[1]["outputs"] if "ename" in output]

    assert error["ename"] == "UsageError"
    assert error["evalue"].startswith("output(lock=...): the lock cannot leave the notebook")


def test_an_output_that_its_task_cannot_load_is_named_with_the_cure(run: Run) -> None:
    message = failure(run.task("unloadable-1")).message

    assert message.startswith("output(thing=...) of unloadable.py cannot be loaded outside its kernel")
    assert "No module named 'beside'" in message
    assert "beside the pipeline" in message


def test_the_libraries_that_run_notebooks_say_nothing_in_the_log(run: Run) -> None:
    assert {line.source for line in run.logs()} <= {"stdout", "stderr"}


def test_what_a_cell_that_awaits_does_belongs_to_it(run: Run, spans: list[dict[str, Any]]) -> None:
    (attempt,) = run.task("awaits-1").attempts
    names = {span["spanId"]: span["name"] for span in spans if span.get("parentSpanId") == attempt.span_id}
    above = {span["name"]: names.get(span.get("parentSpanId")) for span in spans}

    assert above["in a cell that awaits"] == "cell 2"
    assert above["in the cell after it"] == "cell 3"


def test_cells_have_the_numbers_that_jupyter_shows_beside_the_users_own_file(run: Run) -> None:
    counts = [(cell["execution_count"], cell["source"][-8:]) for cell in cells(run.task("numbered-1"))]

    assert [count for count, _ in counts] == [1, 0, None, 2, 3]


def test_a_failure_names_the_cell_by_that_number_whatever_ran_within_others(run: Run) -> None:
    assert 'File "numbered.py, cell 3"' in failure(run.task("numbered-1")).traceback


def test_a_killed_kernel_is_a_lost_worker_that_is_retried(run: Run) -> None:
    attempts = run.task("killed-1").attempts

    assert [attempt.outcome for attempt in attempts] == 2 * [Outcome.WORKER_LOST]


def test_a_killed_kernel_is_told_with_its_cell_and_the_usual_cause(run: Run) -> None:
    message = failure(run.task("killed-1")).message

    assert message.startswith(
        "the kernel of killed.py was ended by SIGKILL in cell 2: most often because memory"
    )
    assert "os.kill" in failure(run.task("killed-1")).traceback


def test_what_ran_before_the_kernel_was_killed_is_kept(run: Run) -> None:
    assert lines(run.task("killed-1")) == 2 * ["before the kill", "at the kill"]
    assert set(run.task("killed-1").artifacts()) == {"notebook.ipynb", "notebook.html"}


def test_what_forks_and_threads_of_cells_print_is_recorded_whole_and_once(run: Run) -> None:
    # A print is two writes, a text and a line's end: those of two processes may come in between each other.
    text = "\n".join(lines(run.task("prints-1")))
    found = sorted(re.findall(r"fork \d line \d+|a thread of [a-z ]+", text))

    assert found == sorted(
        [
            "a thread of the cell before",
            *(f"fork {each} line {line}" for each in (0, 1) for line in range(1000)),
        ]
    )


def test_what_programs_print_is_recorded_once_and_kept_with_its_cell(run: Run) -> None:
    said = ["a program", "a program on sys.stdout", "a shell", "the cell itself"]
    outputs = cells(run.task("prints-1"))[1]["outputs"]
    shown = "".join("".join(output["text"]) for output in outputs)

    assert sorted(line for line in lines(run.task("prints-1")) if line in said) == said
    assert sorted(shown.splitlines()) == said
    assert {output["name"] for output in outputs} == {"stdout", "stderr"}


def test_every_option_of_a_notebook_does_what_it_says(sealed: Sealed) -> None:
    task = sealed.run.task("every-option-1")

    assert task.outcome is Outcome.SUCCEEDED
    assert lines(task) == [str(sealed.root / "notebooks" / "elsewhere"), "said too"]
    assert [edge.task for edge in task.info.upstream] == ["outputs-1"]


def test_no_home_gets_a_profile_that_it_had_not(sealed: Sealed, home: Path) -> None:
    assert sealed.finished.code == 0
    assert sorted(path.name for path in home.iterdir() if path.name != ".cache") == [".local"]


def test_nothing_of_it_was_lost(run: Run) -> None:
    assert run.facts.counts.loss == "None"
