"""What became of schedules' ticks, a few series for each: there are few schedules, and each is missed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import Decision
from vaportrail_operator.planning import times
from vaportrail_operator.runtime.keys import ScheduleKey

__all__ = ["SCHEDULES_MEASURED", "ScheduleMetrics"]

SCHEDULES_MEASURED: Final = 1000
"""Of more, those that were seen first have series."""


@dataclass(frozen=True, slots=True)
class _Values:
    last_success: float
    next_tick: float
    suspended: bool
    failures: int
    missed: int


class ScheduleMetrics(Collector):
    """The series of each schedule, from its status; all of them from the first look on."""

    def __init__(self) -> None:
        self._series: dict[ScheduleKey, _Values] = {}

    def saw(self, key: ScheduleKey, schedule: PipelineSchedule) -> None:
        """Take note of a schedule as it is."""
        if key not in self._series and len(self._series) >= SCHEDULES_MEASURED:
            return
        status = schedule.status
        self._series[key] = _Values(
            _seconds(status.last_success_time),
            _seconds(status.next_tick_time),
            bool(status.suspended),
            status.consecutive_failures,
            status.counts.get(Decision.MISSED, 0),
        )

    def gone(self, key: ScheduleKey) -> None:
        """Forget a schedule that there is not any more."""
        self._series.pop(key, None)

    def collect(self) -> Iterable[Metric]:
        """Yield the series."""
        labels = ["namespace", "schedule"]
        success = GaugeMetricFamily(
            "vaportrail_schedule_last_success_timestamp_seconds",
            "When a run of a schedule succeeded last; 0: never.",
            labels=labels,
        )
        following = GaugeMetricFamily(
            "vaportrail_schedule_next_tick_timestamp_seconds",
            "When a schedule's next run is due; 0: none is.",
            labels=labels,
        )
        suspended = GaugeMetricFamily(
            "vaportrail_schedule_suspended", "Whether a schedule's ticks are passed over.", labels=labels
        )
        failures = GaugeMetricFamily(
            "vaportrail_schedule_consecutive_failures",
            "How many of a schedule's runs failed since one succeeded.",
            labels=labels,
        )
        missed = CounterMetricFamily(
            "vaportrail_schedule_missed_ticks",
            "Ticks of a schedule that did not run: too late, or no run could be made.",
            labels=labels,
        )
        for key, values in self._series.items():
            place = [key.namespace, key.name]
            success.add_metric(place, values.last_success)
            following.add_metric(place, values.next_tick)
            suspended.add_metric(place, int(values.suspended))
            failures.add_metric(place, values.failures)
            missed.add_metric(place, values.missed)
        return success, following, suspended, failures, missed


def _seconds(time: str) -> float:
    found = times.parse(time)
    return 0.0 if found is None else found.timestamp()
