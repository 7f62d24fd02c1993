"""Which ticks are due, which of them run, and what becomes of the others: one way for live and late ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from vaportrail.crd.pipelineschedule import SHORTEST_DEADLINE, PipelineScheduleSpec
from vaportrail.scheduling.timetable import Timetable

__all__ = ["DueTicks", "due_ticks", "start_of"]


@dataclass(frozen=True, slots=True)
class DueTicks:
    """What is to be decided.

    Attributes:
        until: the last minute that is decided now.
        to_run: ticks that should run, in their order.
        late_until: ticks until then are too late, whatever else runs.
        waits_until: when the next one that is due begins, in seconds since 1970, if its jitter holds it.
    """

    until: int
    to_run: tuple[int, ...] = ()
    late_until: int = -1
    waits_until: float | None = None


def due_ticks(
    spec: PipelineScheduleSpec, uid: str, timetable: Timetable, after: int, latest: int, now: datetime
) -> DueTicks:
    """Return what is due after a minute until the latest.

    Args:
        spec: the schedule's.
        uid: of the schedule.
        timetable: what it is due by.
        after: the last minute that is decided.
        latest: the last minute that may be.
        now: the time.
    """
    newest = timetable.previous(latest + 1, after)
    waits_until = None
    if newest is not None and (start := start_of(spec, uid, timetable, newest)) > now.timestamp():
        waits_until, latest = start, newest - 1
        newest = timetable.previous(newest, after)
    if newest is None:
        return DueTicks(latest, waits_until=waits_until)
    allowed = spec.starting_deadline_seconds
    if spec.catch_up.policy == "None" and allowed is None:
        allowed = SHORTEST_DEADLINE
    late_until = -1 if allowed is None else ceil((now.timestamp() - allowed) / 60) - 1
    to_run = []
    tick: int | None = newest
    for _ in range(spec.catch_up.max if spec.catch_up.policy == "All" else 1):
        if tick is None or _is_late(spec, uid, timetable, tick, allowed, now):
            break
        to_run.append(tick)
        tick = timetable.previous(tick, after)
    return DueTicks(latest, tuple(reversed(to_run)), min(late_until, newest - 1), waits_until)


def start_of(spec: PipelineScheduleSpec, uid: str, timetable: Timetable, tick: int) -> float:
    """Return when a tick's run begins, in seconds since 1970: always the same, and before the next tick."""
    most = spec.jitter_seconds
    if not most:
        return tick * 60.0
    following = timetable.next(tick)
    if following is not None:
        most = min(most, (following - tick) * 60)
    drawn = int.from_bytes(hashlib.sha256(f"{uid}/{tick}".encode()).digest()[:8])
    return tick * 60.0 + drawn % most


def _is_late(
    spec: PipelineScheduleSpec, uid: str, timetable: Timetable, tick: int, allowed: int | None, now: datetime
) -> bool:
    return allowed is not None and now.timestamp() - start_of(spec, uid, timetable, tick) > allowed
