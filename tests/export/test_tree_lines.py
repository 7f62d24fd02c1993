"""The log and the values of each task, written in one pass over a record."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaportrail.export.tree import write_tree
from vaportrail.export.tree_lines import write_lines
from vaportrail.record.otlp_lines import Record
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import VALUES as LOGGED
from vaportrail.telemetry.values import attributes, to_any_value

METRIC = LOGGED["metric"].event

if TYPE_CHECKING:
    from tests.conftest import Sealed


def line(task: str, time: int, text: str) -> Record:
    return record({c.TASK_RUN_ID: task, c.SEQ: time + 1}, time, text)


def record(values: dict[str, Any], time: int, body: Any, event: str = "") -> Record:
    raw = {"timeUnixNano": str(time), "body": to_any_value(body), "attributes": attributes(values)}
    return Record("L", {}, "stdout", {**raw, "eventName": event})


def metric(task: str, time: int, name: str, value: float, step: int | None) -> Record:
    values = {c.TASK_RUN_ID: task, c.SEQ: time + 1, c.VALUE_NAME: name, c.METRIC_STEP: step}
    return record(values, time, value, METRIC)


def test_lines_go_to_their_tasks_in_the_order_they_were_made(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in "ab"}
    records = [line("b", 3, "third"), line("a", 2, "second"), line("b", 1, "first"), line("c", 0, "nobody's")]

    assert write_lines(records, folders, made=()) == 2
    assert [text.split()[-1] for text in (tmp_path / "b/log.txt").read_text().splitlines()] == [
        "first",
        "third",
    ]
    assert (tmp_path / "a/log.txt").read_text() == "1970-01-01T00:00:00.000000002Z stdout second\n"


def test_values_of_metrics_are_a_table(tmp_path: Path) -> None:
    records = [metric("a", 2, "loss", float("nan"), 2), metric("a", 1, "=loss", 0.5, None)]

    write_lines(records, {"a": tmp_path / "a"}, made=())

    assert list(csv.reader((tmp_path / "a/metrics.csv").read_text().splitlines())) == [
        ["name", "step", "time", "value"],
        ["'=loss", "", "1970-01-01T00:00:00.000000001Z", "0.5"],
        ["loss", "2", "1970-01-01T00:00:00.000000002Z", "nan"],
    ]


def test_a_tree_has_every_value_that_a_task_logged(small: Sealed, tmp_path: Path) -> None:
    write_tree(small.run, tmp_path, lambda line: None)
    [_, *rows] = csv.reader((tmp_path / "tasks/double-1/metrics.csv").read_text().splitlines())

    points = [point for point in small.run.metrics() if point.task == "double-1"]
    assert [(name, time) for name, _, time, _ in rows] == [(point.name, point.time) for point in points]
