"""A log record as the logged value of a metric. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.log_lines import Place
from vaportrail.record.times import rfc3339
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import from_any_value

__all__ = ["MetricPoint", "best_of_each", "metric_point"]


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One logged value of a metric; `step` is None where none was given."""

    task: str
    name: str
    value: float
    step: int | None
    time: str


def metric_point(record: Record) -> tuple[Place, MetricPoint] | None:
    """Return the value that a log record is of, and where it stands among all; None where it is of none."""
    if record.body.get("eventName") != c.EVENT_METRIC:
        return None
    named = record.attributes
    time = int(record.body["timeUnixNano"])
    point = MetricPoint(
        named.get(c.TASK_RUN_ID, ""), named[c.VALUE_NAME], float(from_any_value(record.body["body"])),
        named.get(c.METRIC_STEP), rfc3339(time),
    )  # fmt: skip
    return (time, record.writer, False, named[c.SEQ]), point


def best_of_each(points: Iterable[MetricPoint], best: Literal["min", "max"]) -> list[MetricPoint]:
    """Return the smallest or the largest value of each metric, of several that are alike the first."""
    chosen: dict[str, MetricPoint] = {}
    for point in points:
        current = chosen.get(point.name)
        better = current is None or (
            point.value < current.value if best == "min" else point.value > current.value
        )
        if better and point.value == point.value:
            chosen[point.name] = point
    return list(chosen.values())
