"""The planner of schedules: from what is observed to the status as it should be, and what to do.

Pure and total, as the planner of runs. Each tick gets one decision, in the order of ticks:

1. what runs carry of steps that were killed before their status was written is taken over;
2. a changed timetable begins now, and what was not decided by the old one is `Superseded`;
3. while suspended, and until the moment of going on, all is `Suspended`;
4. of what is due some run, by `catchUp` and `startingDeadlineSeconds`, as `concurrencyPolicy` lets them;
   the others are `Superseded` where something ran in their place, or else `Missed`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from vaportrail.crd.pipelineschedule import run_name
from vaportrail.crd.schedule_status import (
    ACTIVE_LIMIT,
    Decision,
    PipelineScheduleStatus,
    RefusedRun,
    TimetableStatus,
)
from vaportrail.scheduling.time_zones import time_of
from vaportrail.scheduling.timetable import Timetable
from vaportrail_operator.planning import times
from vaportrail_operator.planning.schedules.due_ticks import DueTicks, due_ticks, start_of
from vaportrail_operator.planning.schedules.epochs import (
    begins_anew,
    first_epoch,
    latest_of,
    new_epoch,
    nothing_before,
    timetable_in,
)
from vaportrail_operator.planning.schedules.history_limits import DELETED_AT_ONCE, over_limits
from vaportrail_operator.planning.schedules.run_ends import awaiting, with_ends, with_suspension
from vaportrail_operator.planning.schedules.run_of_tick import run_of_tick
from vaportrail_operator.planning.schedules.schedule_conditions import with_conditions
from vaportrail_operator.planning.schedules.schedule_types import (
    CancelRun,
    CreateRun,
    ObservedSchedule,
    ScheduledRun,
    SchedulePlan,
)
from vaportrail_operator.planning.schedules.tick_ledger import TickLedger, read_ledger
from vaportrail_operator.planning.schedules.tick_runs import live_runs, own_runs
from vaportrail_operator.planning.types import KubernetesEvent

__all__ = ["CANCELLED_AT_ONCE", "plan_schedule", "refused_status"]

CANCELLED_AT_ONCE: Final = 20
"""In a step: of more, the run that replaces them waits for the next one."""
_LOOK_AGAIN: Final = 3600.0
"""Seconds. While nothing can become due."""


@dataclass
class _Step:
    """A step while it is planned."""

    observed: ObservedSchedule
    ledger: TickLedger
    status: PipelineScheduleStatus
    runs: dict[int, ScheduledRun]
    cancels: list[CancelRun] = field(default_factory=list)
    creates: list[CreateRun] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    again: list[float] = field(default_factory=list)

    def after(self, known: TimetableStatus) -> int:
        """Return the last minute that is decided, or before the timetable."""
        before = nothing_before(known)
        return before if self.ledger.last is None else max(before, self.ledger.last)


def plan_schedule(observed: ObservedSchedule) -> SchedulePlan:
    """Return what follows from what is observed of a schedule."""
    schedule = observed.schedule
    if schedule.metadata.deletion_timestamp is not None:
        # Its runs are its own, and are collected with it.
        return SchedulePlan(schedule.status)
    runs = own_runs(observed)
    step = _Step(observed, TickLedger(schedule.status), schedule.status, runs)
    was_suspended = schedule.status.suspended != ""
    known = schedule.status.timetable
    if known is None and not observed.problems:
        known = first_epoch(schedule, observed.now)
    old = timetable_in(known) if known is not None else None
    if known is not None and old is not None:
        _take_over(step, known, old)
    step.status = with_suspension(schedule, with_ends(_with_awaited(step), runs, observed.now))
    if known is not None and not observed.problems:
        known = _epoch(step, known, old, was_suspended=was_suspended)
        timetable = timetable_in(known)
        if timetable is not None:
            if schedule.status.timetable is not None:
                _decide(step, known, timetable, was_suspended=was_suspended)
            step.status = _with_next(step, known, timetable)
    return _finished(step)


def refused_status(observed: ObservedSchedule, tick: int, message: str) -> PipelineScheduleStatus:
    """Return the status of a schedule whose run the API server refused to make: nothing is decided yet."""
    refused = RefusedRun(tick=tick, message=message)
    status = observed.schedule.status.model_copy(update={"refused": refused})
    return with_conditions(observed.schedule, status, observed.problems, observed.now)


def _take_over(step: _Step, known: TimetableStatus, timetable: Timetable) -> None:
    """Decide what runs are there of, though the status does not say so: a step was killed in between."""
    for tick, run in step.runs.items():
        after = step.after(known)
        if tick <= after or run.backfill or tick not in timetable:
            continue
        spans = read_ledger(run.ledger, timetable, after, tick)
        if spans:
            for span in spans:
                step.ledger.add(span.decision, span.first, span.last, span.count)
            step.ledger.carried()
        else:
            step.ledger.decide(timetable, after, tick - 1, Decision.SUPERSEDED)
            step.ledger.add(Decision.RAN, tick, tick, 1)
        step.made.append(tick)
    if step.made and step.status.refused is not None and step.status.refused.tick <= step.made[-1]:
        step.status = step.status.model_copy(update={"refused": None})


def _with_awaited(step: _Step) -> PipelineScheduleStatus:
    awaited = awaiting(step.status.awaited, step.made, step.runs)
    step.made.clear()
    return step.status.model_copy(update={"awaited": awaited})


def _epoch(
    step: _Step, known: TimetableStatus, old: Timetable | None, *, was_suspended: bool
) -> TimetableStatus:
    schedule, now = step.observed.schedule, step.observed.now
    if begins_anew(schedule, known):
        if old is not None:
            decision = Decision.SUSPENDED if was_suspended else Decision.SUPERSEDED
            after, latest = step.after(known), latest_of(schedule, now)
            step.ledger.decide(old, after, latest, decision)
        known = new_epoch(schedule, now)
    else:
        known = known.model_copy(update={"time_zone_data": new_epoch(schedule, now).time_zone_data})
    step.status = step.status.model_copy(update={"timetable": known})
    return known


def _decide(step: _Step, known: TimetableStatus, timetable: Timetable, *, was_suspended: bool) -> None:
    schedule, now = step.observed.schedule, step.observed.now
    after, latest = step.after(known), latest_of(schedule, now)
    if was_suspended or step.status.suspended:
        step.ledger.decide(timetable, after, latest, Decision.SUSPENDED)
        return
    uid = schedule.metadata.uid
    due = due_ticks(schedule.spec, uid, timetable, after, latest, now)
    if due.waits_until is not None:
        step.again.append(due.waits_until - now.timestamp())
    live = list(live_runs(step.runs).values())
    if due.to_run and schedule.spec.concurrency_policy == "Replace" and live:
        fresh = [run for run in live if not run.cancelled and not run.deleting]
        step.cancels = [CancelRun(run.name, run.uid) for run in fresh[:CANCELLED_AT_ONCE]]
        if len(fresh) > CANCELLED_AT_ONCE:
            step.again.append(0.0)
            return
    if due.to_run and not (schedule.spec.concurrency_policy == "Forbid" and live):
        _run(step, timetable, due, after, replaces=bool(live))
        return
    skipped = due.to_run[-1] if due.to_run else None
    if skipped is not None:
        step.ledger.decide(timetable, after, skipped - 1, Decision.MISSED)
        step.ledger.decide(timetable, max(after, skipped - 1), skipped, Decision.SKIPPED_FORBID)
    step.ledger.decide(timetable, after if skipped is None else skipped, due.until, Decision.MISSED)


def _run(step: _Step, timetable: Timetable, due: DueTicks, after: int, *, replaces: bool) -> None:
    schedule = step.observed.schedule
    refused = -1 if step.status.refused is None else step.status.refused.tick
    first = due.to_run[0]
    # What was refused did not run for want of permission, and nothing took its place.
    missed_until = min(max(due.late_until, refused, after), first - 1)
    step.ledger.decide(timetable, after, missed_until, Decision.MISSED)
    rest = Decision.MISSED if schedule.spec.catch_up.policy == "All" else Decision.SUPERSEDED
    step.ledger.decide(timetable, max(after, missed_until), first - 1, rest)
    replacing = replaces and schedule.spec.concurrency_policy == "Replace"
    for tick in due.to_run:
        # Minutes between two that are left out by daylight saving.
        step.ledger.decide(timetable, max(after, step.ledger.last or -1), tick - 1, Decision.MISSED)
        step.ledger.add(Decision.REPLACED if replacing else Decision.RAN, tick, tick, 1)
        carried = step.ledger.carried()
        step.made.append(tick)
        if tick not in step.runs:
            manifest = run_of_tick(schedule, tick, carried, step.status.last_success_tick)
            step.creates.append(CreateRun(tick, manifest))
    step.status = step.status.model_copy(update={"refused": None})


def _with_next(step: _Step, known: TimetableStatus, timetable: Timetable) -> PipelineScheduleStatus:
    schedule, now = step.observed.schedule, step.observed.now
    following = timetable.next(step.after(known))
    end = schedule.spec.end_time
    if following is not None and end is not None and following * 60 >= end.timestamp():
        following = None
    if step.status.suspended or following is None:
        step.again.append(_LOOK_AGAIN)
    else:
        start = start_of(schedule.spec, schedule.metadata.uid, timetable, following)
        step.again.append(max(0.0, start - now.timestamp()))
    shown = "" if following is None else times.stamp(time_of(following))
    return step.status.model_copy(update={"next_tick_time": shown})


def _finished(step: _Step) -> SchedulePlan:
    schedule, now, ledger = step.observed.schedule, step.observed.now, step.ledger
    live = [run.name for run in live_runs(step.runs).values()]
    live += [run_name(schedule.metadata.name, each.tick) for each in step.creates]
    awaited = awaiting(step.status.awaited, step.made, step.runs)
    status = step.status.model_copy(
        update={
            "observed_generation": schedule.metadata.generation,
            "last_tick": ledger.last,
            "last_tick_time": "" if ledger.last is None else times.stamp(time_of(ledger.last)),
            "counts": {str(name): count for name, count in sorted(ledger.counts.items())},
            "decisions": ledger.spans,
            "uncarried": ledger.uncarried,
            "uncarried_left_out": ledger.left_out,
            "active": live[-ACTIVE_LIMIT:],
            "active_count": len(live),
            "awaited": awaited,
        }
    )
    status = with_conditions(schedule, status, step.observed.problems, now)
    over = over_limits(schedule.spec, step.runs, awaited)
    if len(over) > DELETED_AT_ONCE:
        step.again.append(1.0)
    return SchedulePlan(
        status,
        tuple(step.cancels),
        tuple(step.creates),
        tuple(over[:DELETED_AT_ONCE]),
        min(step.again, default=_LOOK_AGAIN),
        tuple(_events(step, status)),
    )


def _events(step: _Step, status: PipelineScheduleStatus) -> list[KubernetesEvent]:
    found = []
    missed = [span for span in step.ledger.added if span.decision is Decision.MISSED]
    if missed:
        count, last = sum(span.count for span in missed), times.stamp(time_of(missed[-1].last))
        found.append(KubernetesEvent("Warning", "Missed", f"{count} ticks did not run, the last of {last}"))
    before = step.observed.schedule.status
    if status.suspended == "AfterFailures" != before.suspended:
        text = f"{status.consecutive_failures} runs failed one after another; change the spec to go on"
        found.append(KubernetesEvent("Warning", "TooManyFailures", text))
    known = {each.type: each.reason for each in before.conditions}
    for each in status.conditions:
        if each.status == "False" and each.reason == "InvalidSpec" != known.get(each.type):
            found.append(KubernetesEvent("Warning", each.reason, each.message))
    return found
