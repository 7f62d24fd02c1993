"""What a body and the children of tasks say is recorded; what Ray's own work says is known to be missing."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

import pytest

from conftest import PIPELINES, Sealed, make_run, run_vaportrail
from vaportrail.contract.outcome import Outcome
from vaportrail.execution.nested_ray import NESTED
from vaportrail.record.reading.log_lines import IDLE_WORKER
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import attempt_span_id, run_span_id
from vaportrail.telemetry.started_programs import PROGRAMS

HOWS = {
    "parent-1": "spawn",
    "parent-2": "forkserver",
    "parent-3": "subprocess",
    "parent-4": "deep",
    "pool_of_fork-1": "pool",
}
"""How a task starts its child."""


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    root = tmp_path_factory.mktemp("captured")
    entrypoint = f"{PIPELINES / 'captured.py'}:captured"
    # One CPU: the tasks share a worker.
    finished = run_vaportrail("run", entrypoint, "--record", root, "--cpus", "1", "--json", cwd=root)
    assert finished.code == 0, finished.err
    said = finished.run
    return Sealed(root, said["uri"], said["sha256"], finished, root)


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    entrypoint = f"{PIPELINES / 'nested.py'}:nested"
    made: Sealed = make_run(tmp_path_factory.mktemp("nested"), entrypoint, "--cpus", "1")
    assert made.run.outcome is Outcome.SUCCEEDED, made.finished.err
    return made


def lines(made: Sealed, task: str) -> list[tuple[str, str]]:
    return [(line.source, line.text) for line in made.run.logs(task=task)]


@lru_cache(maxsize=1)
def spans(uri: str) -> dict[str, tuple[str, str]]:
    """Return the parent and the task of each span by its name."""
    from vaportrail.record.reading.read import open_run

    manifest = open_run(uri).manifest
    assert manifest is not None
    found = sealed_records(open_store(uri), manifest, "traces")
    return {
        record.body["name"]: (
            record.body.get("parentSpanId", ""),
            record.attributes.get(c.TASK_RUN_ID, ""),
        )
        for record in found
    }


def test_what_the_body_prints_is_the_pipelines(captured: Sealed) -> None:
    said = lines(captured, "")

    assert [text for source, text in said if source == "stdout"] == [
        "print of the body",
        "bytes of the body",
        "two lines",
        "of the body",
        "thread of the body",
        "fork of the body",
        "names: ['spawn', 'forkserver', 'subprocess']",
        "no end",
    ]
    assert [text for source, text in said if source == "stderr"] == [
        "stderr of the body",
        "bar 2 of the body",
    ]


def test_what_the_body_prints_is_shown_as_ever(captured: Sealed) -> None:
    finished = captured.finished

    assert finished.out.startswith("print of the body\n")
    # Read as text, a carriage return is a line's end.
    bars = "".join(f"bar {step} of the body\n" for step in range(3))
    # Progress comes a whole line at a time, wherever the body is just then.
    of_the_body = re.sub(r"\d\d:\d\d:\d\d [^\n]*\n", "", finished.err)
    assert f"stderr of the body\n\n{bars}" in of_the_body


def test_the_progress_of_the_run_is_no_output_of_the_body(captured: Sealed) -> None:
    assert "handed to Ray" in captured.finished.err
    assert [text for _, text in lines(captured, "") if "handed to Ray" in text] == []


def test_the_bodys_stream_is_the_processs_own_in_all_else(captured: Sealed) -> None:
    params = {value.name: value.value for value in captured.run.facts.params if not value.task}

    assert params == {"stdout is a terminal": False, "fileno": 1}


def test_a_span_of_the_body_is_the_runs(captured: Sealed) -> None:
    assert spans(captured.uri)["span of the body"] == (run_span_id(captured.run.facts.run.uid), "")


def test_children_of_the_body_log_into_the_run(captured: Sealed, nested: Sealed) -> None:
    forked, spawned = ({metric.name for metric in made.run.facts.metrics if not metric.task}
                       for made in (captured, nested))  # fmt: skip

    assert forked == {"in the body's span", "of the body's fork"}
    assert spawned == {"of the body's child"}


@pytest.mark.parametrize("task", HOWS)
def test_a_child_logs_values_into_its_own_attempt(captured: Sealed, task: str) -> None:
    how = HOWS[task]

    assert captured.run.task(task).metrics == {f"of {how}": 1.0}
    assert captured.run.task(task).params == {f"task of {how}": task}


@pytest.mark.parametrize("task", HOWS)
def test_a_childs_logging_and_prints_are_its_attempts(captured: Sealed, task: str) -> None:
    how = HOWS[task]

    said = sorted(lines(captured, task))
    assert said == [("child", f"line of {how}"), ("stdout", f"print of {how}")]


@pytest.mark.parametrize("task", HOWS)
def test_a_childs_span_is_below_its_attempts(captured: Sealed, task: str) -> None:
    parent = attempt_span_id(captured.run.facts.run.uid, task, 1)

    assert spans(captured.uri)[f"span of {HOWS[task]}"] == (parent, task)


def test_where_all_is_captured_nothing_is_lost(captured: Sealed) -> None:
    counts = captured.run.facts.counts

    assert (counts.loss, counts.loss_reasons) == ("None", [])


def test_work_that_was_given_to_ray_itself_makes_the_loss_unknown(nested: Sealed) -> None:
    counts = nested.run.facts.counts

    # Three tasks and an actor of a task, four tasks of the body.
    assert counts.loss == "Unknown"
    assert f"{NESTED} (8 times)" in counts.loss_reasons


def test_programs_of_the_body_that_print_beside_the_record_make_the_loss_unknown(nested: Sealed) -> None:
    # One by `subprocess`, a shell's, and a spawned process.
    assert f"{PROGRAMS} (3 times)" in nested.run.facts.counts.loss_reasons
    assert [text for _, text in lines(nested, "") if "program" in text] == []
    assert "print of a program" in nested.finished.out


def test_who_gave_work_to_ray_itself_is_on_record(nested: Sealed) -> None:
    manifest = nested.run.manifest
    assert manifest is not None
    counted: Counter[str] = Counter()
    for record in sealed_records(open_store(nested.uri), manifest, "logs"):
        if record.body.get("eventName") == c.EVENT_NOT_CAPTURED and NESTED in str(record.body["body"]):
            counted[record.attributes.get(c.TASK_RUN_ID, "")] += record.attributes[c.NOT_CAPTURED_COUNT]

    assert counted == {"outer-1": 4, "": 4}


def test_what_work_of_rays_own_says_is_not_the_pipelines(nested: Sealed) -> None:
    run = nested.run

    assert [text for _, text in lines(nested, "") if "nested" in text] == []
    assert [metric for metric in run.facts.metrics if metric.name == "nested"] == []


def test_what_a_worker_prints_between_tasks_is_the_workers(nested: Sealed) -> None:
    printed = {text for source, text in lines(nested, IDLE_WORKER) if source == "stdout"}
    (reused,) = [value.value for value in nested.run.facts.params if value.name == "in a former worker"]

    assert reused
    assert printed == set(reused)


def test_the_command_line_says_why_the_loss_is_unknown(nested: Sealed) -> None:
    shown = run_vaportrail("show", nested.uri, cwd=nested.root).out

    assert f"loss        unknown: {NESTED} (8 times)" in shown
