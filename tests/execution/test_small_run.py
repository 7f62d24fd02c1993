"""One run that succeeds and logs one of everything: what it leaves in the record."""

from __future__ import annotations

import math

import pytest

from conftest import Sealed
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.verify import sealed_records
from vaportrail.storage.store import open_store


@pytest.fixture(scope="module")
def run(small: Sealed) -> Run:
    return small.run


@pytest.fixture(scope="module")
def spans(run: Run) -> dict[str, dict[str, object]]:
    assert run.manifest is not None
    found = sealed_records(open_store(run.uri), run.manifest, "traces")
    return {str(record.body["name"]): dict(record.body) for record in found}


def test_the_run_succeeds_with_exit_code_zero(small: Sealed) -> None:
    assert small.finished.code == 0
    assert small.run.outcome is Outcome.SUCCEEDED


def test_parameters_and_tags_are_recorded_and_hidden_ones_are_not(run: Run, small: Sealed) -> None:
    assert run.parameters == {"size": 3, "secret": "<hidden>"}
    assert run.facts.run.tags == {"team": "vision"}
    assert run.task("make-1").arguments == {"size": 3}
    everything = b"".join(path.read_bytes() for path in small.spool.iterdir())
    assert b"hidden-default" not in everything


def test_handles_inside_arguments_are_edges_with_the_argument_that_carries_them(run: Run) -> None:
    edges = {(e.task, e.kind, e.argument) for e in run.task("double-1").info.upstream}

    assert edges == {("make-1", "value", "numbers")}
    assert run.task("double-1").arguments == {
        "numbers": {"$task": "make-1"},
        "extra": {"more": [{"$task": "make-1"}]},
    }


def test_after_is_an_edge_that_only_orders(run: Run) -> None:
    edges = {(e.task, e.kind) for e in run.task("report-1").info.upstream}

    assert edges == {("make-1", "value"), ("double-1", "order")}


def test_params_metrics_and_tags_belong_to_the_task_that_logged_them(run: Run) -> None:
    assert run.task("make-1").params == {"size": 3, "kind": "numbers"}
    assert run.task("double-1").params == {"attempt": 1}
    assert run.task("report-1").metrics == {"count": 3}
    assert [(t.task, t.name, t.value) for t in run.facts.tags] == [("double-1", "verdict", "good")]
    assert [(p.name, p.value) for p in run.facts.params if not p.task] == [("in_body", True)]


def test_every_value_of_a_metric_is_kept_also_those_that_are_not_numbers(run: Run) -> None:
    points = list(run.metrics("loss"))

    assert [point.step for point in points] == [0, 1, 2, 3]
    assert [point.value for point in points if not math.isnan(point.value)] == [3.0, 2.0, 1.5]
    assert [point.value for point in run.metrics("loss", best="min")] == [1.5]


def test_output_and_log_records_belong_to_their_task(run: Run) -> None:
    assert {(line.source, line.text) for line in run.task("make-1").logs()} == {
        ("stdout", "making 3"),
        ("stderr", "a complaint"),
        ("small.make", "made 3"),
    }


def test_a_notebook_logs_with_no_set_up(run: Run) -> None:
    assert {(line.source, line.text) for line in run.task("report-1").logs()} == {
        ("stdout", "the title is Report"),
        ("report", "from a notebook"),
        ("stdout", "a program says hello"),
        ("stdout", "exit code 1"),
    }


@pytest.mark.parametrize(
    ("name", "content", "media_type", "kind"),
    [
        ("thread.txt", b"written in a thread", "text/plain", "text"),
        ("shape.json", b'{\n  "values": [\n    0,\n    1,\n    2\n  ]\n}', "application/json", "json"),
        ("table.csv", b"a,b\n1,x\n2,y\n", "text/csv", "table"),
        ("folder/data.bin", b"\x00\x01", "application/octet-stream", "file"),
    ],
)
def test_files_are_stored_under_their_names(
    run: Run, name: str, content: bytes, media_type: str, kind: str
) -> None:
    artifact = run.task("double-1").artifacts()[name]

    assert artifact.read() == content
    assert (artifact.media_type, artifact.kind) == (media_type, kind)


def test_the_users_own_spans_are_children_of_the_attempt(
    run: Run, spans: dict[str, dict[str, object]]
) -> None:
    (attempt,) = run.task("double-1").attempts

    assert spans["doubling"]["parentSpanId"] == attempt.span_id
    assert {"key": "how", "value": {"stringValue": "twice"}} in spans["doubling"]["attributes"]  # type: ignore[operator]


def test_a_span_of_a_thread_without_context_belongs_to_the_attempt(
    run: Run, spans: dict[str, dict[str, object]]
) -> None:
    (attempt,) = run.task("double-1").attempts

    assert spans["in a thread"]["parentSpanId"] == attempt.span_id
    assert spans["in a thread"]["traceId"] == run.facts.run.trace_id


def test_each_cell_is_a_span_and_what_it_does_is_below_it(
    run: Run, spans: dict[str, dict[str, object]]
) -> None:
    (attempt,) = run.task("report-1").attempts
    cells = [name for name in spans if name.startswith("cell ")]

    assert len(cells) == 6  # parameters, injected, and four more; Markdown cells run nothing
    assert all(spans[cell]["parentSpanId"] == attempt.span_id for cell in cells)
    assert spans["in a cell"]["parentSpanId"] in {spans[cell]["spanId"] for cell in cells}


def test_the_kept_notebook_shows_its_parameters_and_runs_nothing_in_a_page(run: Run) -> None:
    files = run.task("report-1").artifacts()

    assert b"title = 'Report'" in files["notebook.ipynb"].read().replace(b'\\"', b'"')
    assert b"upstream(" in files["notebook.ipynb"].read()
    html = files["notebook.html"].read()
    assert b"<script" not in html
    assert b"default-src 'none'" in html


def test_the_environment_says_python_packages_and_revision(run: Run) -> None:
    environment = run.facts.environment

    assert environment["python"].startswith("3.")
    assert "ray" in environment["packages"]
    assert len(environment["git"]["revision"]) == 40


def test_the_timeline_goes_from_ray_to_the_end_of_the_pipeline(run: Run) -> None:
    assert [m.name for m in run.facts.timeline] == [
        "ray started",
        "pipeline started",
        "pipeline ended",
        "ray stopped",
    ]


def test_nothing_was_lost_and_nothing_had_to_be_mended(run: Run) -> None:
    counts = run.facts.counts

    assert counts.loss == "None"
    assert counts.logs.made == counts.logs.recorded > 0
    assert counts.spans.made == counts.spans.recorded > 0
    assert (counts.synthesised_spans, counts.recovered_lines) == (0, 0)
