"""Which ended runs go: those over the limits, once their ends are counted. Records stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from vaportrail.crd.pipelineschedule import PipelineScheduleSpec
from vaportrail.crd.status import Phase
from vaportrail_operator.planning.schedules.schedule_types import DeleteRunOfTick, ScheduledRun

__all__ = ["DELETED_AT_ONCE", "over_limits"]

DELETED_AT_ONCE: Final = 20
"""In a step."""


def over_limits(
    spec: PipelineScheduleSpec, runs: dict[int, ScheduledRun], awaited: Collection[int]
) -> list[DeleteRunOfTick]:
    """Return what is to be deleted, the oldest first; backfills are their maker's."""
    ended = [
        run
        for tick, run in runs.items()
        if run.finished and not run.backfill and not run.deleting and tick not in awaited
    ]
    good = [run for run in ended if run.phase is Phase.SUCCEEDED]
    bad = [run for run in ended if run.phase is not Phase.SUCCEEDED]
    over = [
        *good[: max(0, len(good) - spec.successful_runs_history_limit)],
        *bad[: max(0, len(bad) - spec.failed_runs_history_limit)],
    ]
    return [DeleteRunOfTick(run.name, run.uid) for run in over]
