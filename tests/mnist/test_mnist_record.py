"""What the record of the MNIST example holds, name by name."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest

import vaportrail
from vaportrail.contract.outcome import Outcome

if TYPE_CHECKING:
    from tests.conftest import Cli, Sealed

    from vaportrail.record.reading.recorded_run import TaskRun

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist" / "pipeline.py"
CLI = Path(sys.executable).parent / "vaportrail"
SIZES = [600, 800, 1000, 1200]
NOTEBOOKS = {"eda": 1, "benchmark_model": 4, "summary": 1}
PYTHON_TASKS = {"ingest": 1, "split_train_test": 1, "train_model": 4}
OF_A_NOTEBOOK = {"notebook.ipynb", "notebook.html"}
ARTIFACTS = {
    "ingest": {"data_shape", "target_shape"},
    "eda": {
        "counts_per_digit.txt",
        "logged-images/samples_per_digit.png",
        "logged-images/pixel_value_counts.png",
        *(f"logged-images/digits/{digit}-images.png" for digit in range(10)),
        *OF_A_NOTEBOOK,
    },
    "split_train_test": set(),
    "train_model": {"model.onnx"},
    "benchmark_model": {
        "onnx_io_structure.json",
        "per-digit-probabilities.png",
        "per-digit-roc-curves.png",
        "roc_auc_per_digit",
        *OF_A_NOTEBOOK,
    },
    "summary": {"auc-roc-model-performances.png", *OF_A_NOTEBOOK},
}
PARAMS = {
    "ingest": set(),
    "eda": {"nr_digits", "pixels_per_digit"},
    "split_train_test": {"nr_digits_train", "nr_digits_test"},
    "train_model": {"nr_train_images"},
    "benchmark_model": set(),
    "summary": set(),
}
METRICS = {
    "ingest": set(),
    "eda": set(),
    "split_train_test": set(),
    "train_model": {"nr_max_prob_neq_label"},
    "benchmark_model": {"roc_auc_class_mean", *(f"roc_auc_per_digit/{digit}" for digit in range(10))},
    "summary": set(),
}
TASKS = list(ARTIFACTS)


def tasks(mnist: Sealed, name: str) -> list[TaskRun]:
    return [task for task in mnist.run.tasks if task.name == name]


def only(mnist: Sealed, name: str) -> TaskRun:
    [task] = tasks(mnist, name)
    return task


def read_json(task: TaskRun, name: str) -> Any:
    return json.loads(task.artifacts()[name].read())


def scores(mnist: Sealed) -> dict[int, float]:
    """Return the mean AUC by the number of training images, which only the arguments say."""
    return {t.arguments["n"]: t.metrics["roc_auc_class_mean"] for t in tasks(mnist, "benchmark_model")}


def test_the_run_exits_with_zero(mnist: Sealed) -> None:
    assert mnist.finished.code == 0


def test_the_record_stands_below_the_pipelines_name(mnist: Sealed) -> None:
    assert mnist.folder.parent == mnist.root / "runs" / "mnist"


def test_the_run_succeeded_and_is_sealed(mnist: Sealed) -> None:
    assert (mnist.run.outcome, mnist.run.sealed) == (Outcome.SUCCEEDED, True)


def test_there_are_twelve_tasks(mnist: Sealed) -> None:
    assert Counter(task.name for task in mnist.run.tasks) == {**PYTHON_TASKS, **NOTEBOOKS}


def test_there_are_eighteen_edges(mnist: Sealed) -> None:
    assert sum(len(task.info.upstream) for task in mnist.run.tasks) == 18


def test_every_edge_carries_a_value(mnist: Sealed) -> None:
    assert {edge.kind for task in mnist.run.tasks for edge in task.info.upstream} == {"value"}


def test_six_tasks_are_notebooks(mnist: Sealed) -> None:
    assert Counter(task.name for task in mnist.run.tasks if task.info.kind == "notebook") == NOTEBOOKS


def test_the_other_six_are_python_functions(mnist: Sealed) -> None:
    assert Counter(task.name for task in mnist.run.tasks if task.info.kind == "python") == PYTHON_TASKS


def test_every_task_succeeded(mnist: Sealed) -> None:
    assert [task.id for task in mnist.run.tasks if task.outcome is not Outcome.SUCCEEDED] == []


def test_every_task_succeeded_at_its_first_attempt(mnist: Sealed) -> None:
    assert {task.id: len(task.attempts) for task in mnist.run.tasks if len(task.attempts) != 1} == {}


@pytest.mark.parametrize("name", TASKS)
def test_the_stored_files_are_exactly_these(mnist: Sealed, name: str) -> None:
    assert [set(task.artifacts()) for task in tasks(mnist, name)] == [ARTIFACTS[name]] * len(
        tasks(mnist, name)
    )


@pytest.mark.parametrize("name", TASKS)
def test_the_logged_parameters_are_exactly_these(mnist: Sealed, name: str) -> None:
    assert [set(task.params) for task in tasks(mnist, name)] == [PARAMS[name]] * len(tasks(mnist, name))


@pytest.mark.parametrize("name", TASKS)
def test_the_logged_metrics_are_exactly_these(mnist: Sealed, name: str) -> None:
    assert [set(task.metrics) for task in tasks(mnist, name)] == [METRICS[name]] * len(tasks(mnist, name))


def test_the_pipelines_body_logs_nothing(mnist: Sealed) -> None:
    facts = mnist.run.facts

    assert [v for v in (*facts.params, *facts.metrics, *facts.tags, *facts.artifacts) if not v.task] == []


def test_the_shape_of_the_data_is_logged(mnist: Sealed) -> None:
    task = only(mnist, "ingest")

    assert (read_json(task, "data_shape"), read_json(task, "target_shape")) == ([1797, 64], [1797])


def test_the_shapes_are_kept_as_json(mnist: Sealed) -> None:
    assert {found.kind for found in only(mnist, "ingest").artifacts().values()} == {"json"}


def test_the_digits_and_their_pixels_are_counted(mnist: Sealed) -> None:
    assert only(mnist, "eda").params == {"nr_digits": 1797, "pixels_per_digit": 64}


def test_the_counts_of_all_digits_add_up(mnist: Sealed) -> None:
    counts = read_json(only(mnist, "eda"), "counts_per_digit.txt")

    assert (len(counts), sum(counts.values())) == (10, 1797)


def test_the_split_is_1257_to_540(mnist: Sealed) -> None:
    assert only(mnist, "split_train_test").params == {"nr_digits_train": 1257, "nr_digits_test": 540}


def test_the_four_trainings_are_told_apart_by_their_arguments(mnist: Sealed) -> None:
    assert sorted(task.arguments["n"] for task in tasks(mnist, "train_model")) == SIZES


def test_each_training_used_as_many_images_as_it_was_told(mnist: Sealed) -> None:
    trained = tasks(mnist, "train_model")

    assert [task.params["nr_train_images"] for task in trained] == [task.arguments["n"] for task in trained]


def test_each_benchmark_is_of_the_model_of_its_own_size(mnist: Sealed) -> None:
    trained = {task.id: task.arguments["n"] for task in tasks(mnist, "train_model")}

    wrong = [
        task.id
        for task in tasks(mnist, "benchmark_model")
        if trained[task.arguments["model"]["$task"]] != task.arguments["n"]
    ]
    assert wrong == []


def test_the_summary_needs_the_four_benchmarks(mnist: Sealed) -> None:
    needed = {edge.task for edge in only(mnist, "summary").info.upstream}

    assert needed == {task.id for task in tasks(mnist, "benchmark_model")}


def test_most_machines_vote_for_the_most_probable_digit(mnist: Sealed) -> None:
    disagree = [task.metrics["nr_max_prob_neq_label"] for task in tasks(mnist, "train_model")]

    assert all(0 <= count < 10 for count in disagree)


def test_the_largest_training_set_has_a_mean_auc_above_0_995(mnist: Sealed) -> None:
    assert 0.995 < scores(mnist)[1200] < 1


def test_each_larger_training_set_has_a_higher_mean_auc(mnist: Sealed) -> None:
    by_size = [score for _, score in sorted(scores(mnist).items())]

    assert by_size == sorted(set(by_size))
    assert len(by_size) == 4


def test_the_mean_auc_is_the_mean_over_the_digits(mnist: Sealed) -> None:
    for task in tasks(mnist, "benchmark_model"):
        areas = read_json(task, "roc_auc_per_digit")
        assert list(areas) == [str(digit) for digit in range(10)]
        assert task.metrics["roc_auc_class_mean"] == pytest.approx(sum(areas.values()) / 10, rel=1e-12)


def test_the_area_of_each_digit_is_a_metric_that_can_be_compared(mnist: Sealed) -> None:
    for task in tasks(mnist, "benchmark_model"):
        areas = read_json(task, "roc_auc_per_digit")
        assert {digit: task.metrics[f"roc_auc_per_digit/{digit}"] for digit in areas} == areas


def test_the_best_score_is_found_by_the_reading_api(mnist: Sealed) -> None:
    [best] = mnist.run.metrics("roc_auc_class_mean", best="max")

    assert mnist.run.task(best.task).arguments["n"] == 1200


def test_the_models_are_valid_onnx(mnist: Sealed) -> None:
    for task in tasks(mnist, "train_model"):
        onnx.checker.check_model(onnx.load_from_string(task.artifacts()["model.onnx"].read()))


def test_the_four_models_differ(mnist: Sealed) -> None:
    assert len({task.artifacts()["model.onnx"].sha256 for task in tasks(mnist, "train_model")}) == 4


def test_the_logged_structure_is_the_models(mnist: Sealed) -> None:
    for task in tasks(mnist, "benchmark_model"):
        structure = read_json(task, "onnx_io_structure.json")
        model = mnist.run.task(task.arguments["model"]["$task"]).artifacts()["model.onnx"].read()
        graph = onnx.load_from_string(model).graph
        assert [node["name"] for node in structure["inputs"]] == [node.name for node in graph.input]
        assert [node["name"] for node in structure["outputs"]] == [node.name for node in graph.output]


def test_every_figure_is_a_png(mnist: Sealed) -> None:
    figures = [a for a in mnist.run.artifacts().values() if a.name.endswith(".png")]

    assert len(figures) == 12 + 4 * 2 + 1
    assert [a.name for a in figures if not a.read().startswith(b"\x89PNG\r\n\x1a\n")] == []
    assert {(a.media_type, a.kind) for a in figures} == {("image/png", "figure")}


def test_every_notebook_was_executed_without_an_error(mnist: Sealed) -> None:
    for name in NOTEBOOKS:
        for task in tasks(mnist, name):
            notebook = read_json(task, "notebook.ipynb")
            code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and cell["source"]]
            outputs = [output["output_type"] for cell in code for output in cell["outputs"]]
            assert [cell["source"] for cell in code if cell["execution_count"] is None] == []
            assert "error" not in outputs


def test_every_notebook_is_kept_as_a_page_too(mnist: Sealed) -> None:
    pages = [t.artifacts()["notebook.html"].read() for name in NOTEBOOKS for t in tasks(mnist, name)]

    assert len(pages) == 6
    assert [page[:15] for page in pages if not page.lower().startswith(b"<!doctype html>")] == []


def test_nothing_is_lost(mnist: Sealed) -> None:
    assert mnist.run.facts.counts.loss == "None"


@pytest.mark.parametrize("signal", ["logs", "spans"])
def test_what_was_made_is_recorded(mnist: Sealed, signal: str) -> None:
    count = getattr(mnist.run.facts.counts, signal)

    assert (count.recorded, count.lost) == (count.made, 0)


def test_the_sealer_had_nothing_to_add(mnist: Sealed) -> None:
    counts = mnist.run.facts.counts

    assert (counts.synthesised_spans, counts.recovered_lines) == (0, 0)


def test_the_parameters_of_the_run_are_in_the_record(mnist: Sealed) -> None:
    assert mnist.run.parameters == {"train_sizes": SIZES}


@pytest.mark.slow
def test_a_run_with_another_size_succeeds(one_size: tuple[int, Path]) -> None:
    assert one_size[0] == 0


@pytest.mark.slow
def test_a_run_with_one_size_has_six_tasks(one_size: tuple[int, Path]) -> None:
    [run] = vaportrail.runs(str(one_size[1] / "vaportrail-runs"))

    assert len(run.tasks) == 6


@pytest.mark.slow
def test_no_spool_is_left_after_a_run(one_size: tuple[int, Path]) -> None:
    assert [path.name for path in (one_size[1] / "vaportrail-runs").iterdir()] == ["runs"]


@pytest.mark.parametrize("sizes", ["5000", "[600, nothing]"])
def test_sizes_that_are_none_are_refused_before_anything_starts(cli: Cli, tmp_path: Path, sizes: str) -> None:
    done = cli("run", f"{EXAMPLE}:mnist", "-p", f"train_sizes={sizes}")

    assert (done.code, list(tmp_path.iterdir())) == (2, [])
