"""Since when a timetable counts: a changed expression, zone or rule begins anew, and fires no past."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from vaportrail.crd.pipelineschedule import DaylightSavingSpec, PipelineSchedule, timetable_of
from vaportrail.crd.schedule_status import TimetableStatus
from vaportrail.errors import ScheduleError
from vaportrail.scheduling.time_zones import ZONE_DATA
from vaportrail.scheduling.timetable import Doubled, Skipped, Timetable
from vaportrail_operator.planning import times

__all__ = ["begins_anew", "first_epoch", "latest_of", "new_epoch", "nothing_before", "timetable_in"]


def first_epoch(schedule: PipelineSchedule, now: datetime) -> TimetableStatus:
    """Return the timetable of a schedule that was never looked at: it counts since it was created."""
    return _epoch(schedule, schedule.metadata.creation_timestamp or now)


def new_epoch(schedule: PipelineSchedule, now: datetime) -> TimetableStatus:
    """Return the timetable as the spec has it now."""
    return _epoch(schedule, now)


def begins_anew(schedule: PipelineSchedule, known: TimetableStatus) -> bool:
    """Return whether the spec's timetable is another than the one that is known."""
    spec = schedule.spec
    given = (spec.schedule, spec.time_zone, spec.daylight_saving.skipped, spec.daylight_saving.doubled)
    return given != (known.schedule, known.time_zone, known.skipped, known.doubled)


def timetable_in(known: TimetableStatus) -> Timetable | None:
    """Return the timetable that a status says, or None where it says none that there is."""
    try:
        rules = DaylightSavingSpec(skipped=Skipped(known.skipped), doubled=Doubled(known.doubled))
        return timetable_of(known.schedule, known.time_zone, rules)
    except (ScheduleError, ValueError):
        return None


def nothing_before(known: TimetableStatus) -> int:
    """Return the minute after which ticks of a timetable count: one at the very change is the old one's."""
    since = times.parse(known.since)
    return -1 if since is None else int(since.timestamp() // 60)


def latest_of(schedule: PipelineSchedule, now: datetime) -> int:
    """Return the last minute that may have a tick now: it is not to come, and before the end."""
    latest = int(now.timestamp()) // 60
    end = schedule.spec.end_time
    return latest if end is None else min(latest, ceil(end.timestamp() / 60) - 1)


def _epoch(schedule: PipelineSchedule, since: datetime) -> TimetableStatus:
    spec = schedule.spec
    return TimetableStatus(
        schedule=spec.schedule,
        time_zone=spec.time_zone,
        skipped=spec.daylight_saving.skipped,
        doubled=spec.daylight_saving.doubled,
        since=times.stamp(since),
        time_zone_data=ZONE_DATA,
    )
