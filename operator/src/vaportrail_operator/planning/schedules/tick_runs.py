"""Which runs are a schedule's own, and of which tick: anybody's run may have any name and label."""

from __future__ import annotations

import re
from typing import Final

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail_operator.planning.schedules.schedule_types import ObservedSchedule, ScheduledRun

__all__ = ["SET_BACK", "live_runs", "own_runs", "tick_of"]

SET_BACK: Final = 7200
"""Seconds. By so much a clock may be set back, and no tick is told twice."""
_MINUTE: Final = re.compile(r"0|[1-9][0-9]{0,7}")


def tick_of(schedule: PipelineSchedule, name: str) -> int | None:
    """Return the tick that a run's name says, or None where it says none of this schedule.

    >>> from vaportrail.crd.pipelinerun import Metadata
    >>> schedule = PipelineSchedule.model_construct(metadata=Metadata(name="a"))
    >>> tick_of(schedule, "a-29712345"), tick_of(schedule, "a-b-29712345"), tick_of(schedule, "a-007")
    (29712345, None, None)
    """
    prefix = f"{schedule.metadata.name}-"
    minute = name.removeprefix(prefix)
    return int(minute) if name.startswith(prefix) and _MINUTE.fullmatch(minute) else None


def own_runs(observed: ObservedSchedule) -> dict[int, ScheduledRun]:
    """Return the schedule's own runs by their ticks, in their order; backfills are among them.

    Of its own is what it controls by uid and label, under the name of a tick that is not to come: an
    operator makes none before its time, so whatever says otherwise says nothing. One that is soon to come
    was made before the clock was set back.
    """
    schedule, latest = observed.schedule, observed.now.timestamp() + SET_BACK
    uid = schedule.metadata.uid
    found = {}
    for run in observed.runs:
        tick = tick_of(schedule, run.name)
        if uid and tick is not None and run.controller == uid == run.schedule_uid and tick * 60 <= latest:
            found[tick] = run
    return dict(sorted(found.items()))


def live_runs(runs: dict[int, ScheduledRun]) -> dict[int, ScheduledRun]:
    """Return those that have not ended, without backfills: these are not counted by any policy."""
    return {tick: run for tick, run in runs.items() if not run.finished and not run.backfill}
