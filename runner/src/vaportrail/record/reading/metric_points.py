"""A log record as a logged number. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.log_lines import Place, place_of
from vaportrail.record.times import rfc3339
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import BY_EVENT, ValueType
from vaportrail.telemetry.values import from_any_value

__all__ = ["MetricPoint", "best_of_each", "logged_number", "metric_point"]


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One logged value of a metric; `step` is None where none was given."""

    task: str
    name: str
    value: float
    step: int | None
    time: str


def logged_number(record: Record) -> tuple[ValueType, Place, MetricPoint] | None:
    """Return the number that a log record is of: of which type, where it stands among all; else None."""
    logged = BY_EVENT.get(record.body.get("eventName", ""))
    if logged is None or not logged.numbers:
        return None
    named = record.attributes
    time = int(record.body["timeUnixNano"])
    point = MetricPoint(
        named.get(c.TASK_RUN_ID, ""), named[c.VALUE_NAME], float(from_any_value(record.body["body"])),
        named.get(c.METRIC_STEP), rfc3339(time),
    )  # fmt: skip
    return logged, place_of(record, record.writer), point


def metric_point(record: Record) -> tuple[Place, MetricPoint] | None:
    """Return the metric's value that a log record is of, and where it stands among all; else None."""
    found = logged_number(record)
    return None if found is None or found[0].kind != "metric" else found[1:]


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
