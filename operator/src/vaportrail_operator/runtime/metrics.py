"""The operator's own metrics, for Prometheus; never labelled by a run's name, though by a schedule's."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vaportrail.crd.status import Phase
from vaportrail_operator.planning.children.table import CHILDREN
from vaportrail_operator.runtime.run_metrics import RunMetrics
from vaportrail_operator.runtime.schedule_metrics import ScheduleMetrics
from vaportrail_operator.runtime.workqueue import WorkQueue

__all__ = ["STEP_RESULTS", "Metrics", "Readings"]

_STEP_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

STEP_RESULTS: Final = ("ok", "conflict", "unavailable", "refused", "claimed", "left", "error")
"""How a step of the reconciler may go."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_RESULTS: Final = ("ok", "not_found", "conflict", "refused", "unavailable")


def _result_of(status: int) -> str:
    if status == 0 or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "unavailable"
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    named = {HTTPStatus.NOT_FOUND: "not_found", HTTPStatus.GONE: "not_found", HTTPStatus.CONFLICT: "conflict"}
    return named.get(HTTPStatus(status), "refused")


class Readings(Collector):
    """What is read off the parts when Prometheus asks.

    Args:
        queue: the runs that wait for a step, and those that are in one.
        leads: whether this operator holds the Lease.
        lease_left: for how many seconds it still does if it is not renewed.
        others: how many namespaces with live runs another installation has claimed.
        unserved: how many runs were live in namespaces that are not served any more, by namespace.
        phases: the phase of each run.
        watch_lag: by kind, for how long its watch has owed what is already known otherwise.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue[Any],
        leads: Callable[[], bool],
        lease_left: Callable[[], float],
        others: Callable[[], int],
        unserved: Callable[[], Mapping[str, int]],
        phases: Callable[[], Iterable[str]],
        watch_lag: Callable[[], dict[str, float]],
    ) -> None:
        self._queue, self._leads, self._others, self._unserved = queue, leads, others, unserved
        self._lease_left = lease_left
        self._phases, self._watch_lag = phases, watch_lag

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        queue = self._queue
        yield GaugeMetricFamily("vaportrail_workqueue_depth", "Runs that wait for a step.", queue.depth)
        yield GaugeMetricFamily(
            "vaportrail_workqueue_oldest_seconds",
            "How long the oldest of them has waited.",
            queue.oldest_seconds,
        )
        yield GaugeMetricFamily(
            "vaportrail_workqueue_longest_step_seconds",
            "How long the longest of the steps that go on takes.",
            queue.longest_seconds,
        )
        yield CounterMetricFamily(
            "vaportrail_workqueue_retries", "Steps put back after failing.", queue.retries
        )
        yield GaugeMetricFamily(
            "vaportrail_leader", "Whether this operator holds the Lease and works.", int(self._leads())
        )
        yield GaugeMetricFamily(
            "vaportrail_lease_left_seconds",
            "For how long the Lease is held without another renewal; 0 of a standby.",
            self._lease_left(),
        )
        yield GaugeMetricFamily(
            "vaportrail_namespaces_of_others",
            "Namespaces with live runs that another installation has claimed.",
            self._others(),
        )
        unserved = GaugeMetricFamily(
            "vaportrail_unserved_live_runs",
            "Runs that had not ended when their namespace was served last.",
            labels=["namespace"],
        )
        for namespace, count in self._unserved().items():
            unserved.add_metric([namespace], count)
        yield unserved
        runs = GaugeMetricFamily("vaportrail_runs", "PipelineRuns by phase.", labels=["phase"])
        tally = Tally(phase or str(Phase.PENDING) for phase in self._phases())
        for phase in Phase:
            runs.add_metric([phase], tally[phase])
        yield runs
        owed = GaugeMetricFamily(
            "vaportrail_watch_lag_seconds",
            "How long the watch of a kind has owed what lists and replies told.",
            labels=["kind"],
        )
        for kind, seconds in self._watch_lag().items():
            owed.add_metric([kind], seconds)
        yield owed


class Metrics:
    """Counters that the parts count on, and all of it as text.

    Args:
        clock: seconds that only go on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.runs = RunMetrics(self._registry, clock)
        self.schedules = ScheduleMetrics()
        self._registry.register(self.schedules)
        self._calls = Counter(
            "vaportrail_api_calls",
            "Calls of Kubernetes' API by method and by how they went.",
            ["method", "result"],
            registry=self._registry,
        )
        for method in _METHODS:
            for result in _RESULTS:
                self._calls.labels(method, result)
        self.reconciles = Counter(
            "vaportrail_reconcile", "Steps by their result.", ["result"], registry=self._registry
        )
        self.duration = Histogram(
            "vaportrail_reconcile_duration_seconds",
            "How long a step took.",
            buckets=_STEP_SECONDS,
            registry=self._registry,
        )
        self.leaked = Counter(
            "vaportrail_orphans_removed",
            "Removed though no run wanted them.",
            ["kind"],
            registry=self._registry,
        )
        self.orphans_kept = Counter(
            "vaportrail_orphan_removals_failed",
            "Tries to remove what no run wants that failed.",
            ["kind"],
            registry=self._registry,
        )
        for result in STEP_RESULTS:
            self.reconciles.labels(result)
        for kind in dict.fromkeys(child.kind for child in CHILDREN):
            self.leaked.labels(str(kind))
            self.orphans_kept.labels(str(kind))
        self.events_dropped = Counter(
            "vaportrail_events_dropped", "Kubernetes Events that nobody will see.", registry=self._registry
        )
        self.watch_connects = Counter(
            "vaportrail_watch_connects", "How often a list or watch was begun.", registry=self._registry
        )

    def call(self, method: str, status: int) -> None:
        """Count a call of the API server.

        Args:
            method: of HTTP.
            status: of its reply; 0 where none came.
        """
        self._calls.labels(method, _result_of(status)).inc()

    def read_from(self, readings: Readings) -> None:
        """Add what is read off the parts."""
        self._registry.register(readings)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text form."""
        return generate_latest(self._registry)
