"""A metric's values folded as they come: how many, the last, the least, the greatest. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vaportrail.record.rows import MetricInfo

__all__ = ["MetricSeries"]

_When = tuple[int, int, str]


@dataclass(slots=True)
class MetricSeries:
    """One metric of one task, whatever the order in which its values come."""

    count: int = 0
    last_when: _When = (-1, 0, "")
    """The time of the last value in nanoseconds, its number, its process."""
    _last: float = math.nan
    _step: int | None = None
    _min: float = math.nan
    _max: float = math.nan

    def take(self, when: _When, value: float, step: int | None) -> None:
        """Take one value."""
        self.count += 1
        if when >= self.last_when:
            self.last_when, self._last, self._step = when, value, step
        if value == value:
            self._min = value if math.isnan(self._min) else min(self._min, value)
            self._max = value if math.isnan(self._max) else max(self._max, value)

    def info(self, task: str, name: str) -> MetricInfo:
        """Return what a record says of the metric."""
        return MetricInfo(
            task=task, name=name, count=self.count, last=self._last, last_step=self._step, min=self._min,
            max=self._max,
        )  # fmt: skip
