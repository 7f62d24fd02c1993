"""A schedule's way to its plan: what is known of it and its runs, and what follows from that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from vaportrail.errors import UsageError
from vaportrail_operator.acting.apply_schedule import ScheduleApplier
from vaportrail_operator.planning.schedules.plan_schedule import plan_schedule
from vaportrail_operator.planning.schedules.schedule_types import ObservedSchedule
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.keys import ScheduleKey
from vaportrail_operator.runtime.schedule_metrics import ScheduleMetrics
from vaportrail_operator.runtime.scheduled_runs import ScheduledRuns
from vaportrail_operator.runtime.step import Rest, Step

__all__ = ["ScheduleSteps"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScheduleSteps:
    """Plans the steps of schedules.

    Attributes:
        cache: what is known.
        runs: which runs are whose.
        applier: carries out plans.
        now: the time.
        metrics: where what became of ticks is told.
    """

    cache: Cache
    runs: ScheduledRuns
    applier: ScheduleApplier
    now: Callable[[], datetime]
    metrics: ScheduleMetrics

    def planned(self, key: ScheduleKey) -> Rest | Step:
        """Return what is to be done for a schedule, or that nothing is."""
        found = self.cache.schedule(key)
        if found is None:
            self.metrics.gone(key)
            return Rest(None)
        entry, kept = found
        try:
            read = kept.read()
        except UsageError as error:
            # Another operator's, which is newer: it goes on by it.
            _log.warning("the schedule is left alone: %s", error)
            return Rest(None)
        self.metrics.saw(key, read.schedule)
        seen = ObservedSchedule(
            read.schedule, self.now(), self.runs.of(key.namespace, entry.uid), read.problems
        )
        plan = plan_schedule(seen)
        return Step(entry.uid, plan.requeue_after, lambda: self.applier.apply(seen, plan))
