"""Laws of schedules, over long lives: kills, absences, edits, jumps of the clock, runs that hang."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.planning.schedule_world import BEGIN, Killed, ScheduleWorld, schedule_of

from vaportrail.crd.pipelineschedule import timetable_of
from vaportrail.crd.schedule_status import Decision, DecisionSpan, PipelineScheduleStatus, TimetableStatus
from vaportrail.crd.status import Phase
from vaportrail.scheduling.time_zones import minute_of
from vaportrail.scheduling.timetable import Timetable
from vaportrail_operator.planning.schedules.plan_schedule import plan_schedule
from vaportrail_operator.planning.schedules.schedule_types import ObservedSchedule, ScheduledRun
from vaportrail_operator.planning.schedules.tick_runs import SET_BACK

TEXTS = ("* * * * *", "*/7 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 */2 * * *\n15 2 * * *", "0 0 * * mon")
ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe")
RAN = (Decision.RAN, Decision.REPLACED)


class Life:
    """A drawn life of a schedule, and what a bystander writes down of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = ScheduleWorld(schedule_of(**self._spec()))
        self.world.now = BEGIN + timedelta(seconds=self.chance.randrange(90))
        self.epochs: list[tuple[Timetable, int, int]] = []
        self.furthest = self.world.now

    def _timing(self) -> dict[str, Any]:
        return {
            "schedule": self.chance.choice(TEXTS),
            "timeZone": self.chance.choice(ZONES),
            "daylightSaving": {
                "skipped": self.chance.choice(("Shift", "Skip")),
                "doubled": self.chance.choice(("First", "Last", "Both", "None")),
            },
        }

    def _spec(self) -> dict[str, Any]:
        policy = self.chance.choice(("Allow", "Forbid", "Replace"))
        catch_up = self.chance.choice(("None", "Latest", "All" if policy == "Allow" else "Latest"))
        return {
            **self._timing(),
            "concurrencyPolicy": policy,
            "catchUp": {"policy": catch_up, "max": self.chance.randint(1, 5)},
            "startingDeadlineSeconds": self.chance.choice((None, 60, 600, 86_400)),
            "suspendAfterFailures": self.chance.choice((0, 0, 2)),
            "successfulRunsHistoryLimit": self.chance.randrange(3),
            "failedRunsHistoryLimit": self.chance.randrange(3),
            "jitterSeconds": self.chance.choice((0, 0, 50)),
        }

    def live(self, steps: int) -> None:
        for _ in range(steps):
            self._happen()
        # What is refused is not decided yet.
        self.world.refuses = ""
        self._step(None)

    def _happen(self) -> None:
        chance, world = self.chance, self.world
        what = chance.random()
        if what < 0.55:
            self._step(None)
        elif what < 0.70:
            self._step(chance.randrange(5))
        elif what < 0.73:
            world.edit(**self._timing())
            self._step(None if chance.random() < 0.7 else chance.randrange(3))
        elif what < 0.76:
            world.edit(suspend=not world.schedule.spec.suspend)
            self._step(None)
        elif what < 0.78:
            self._set_back(chance.randrange(4000))
        elif what < 0.80:
            world.refuses = "" if world.refuses else "exceeded quota"
        for name in world.live():
            if chance.random() < (0.9 if world.runs[name].cancelled else 0.3):
                world.end(name, chance.choice((Phase.SUCCEEDED, Phase.FAILED)))
        world.wait(chance.choice((1, 20, 60, 60, 61, 400, 7000, 90_000)))

    def _set_back(self, seconds: int) -> None:
        self.furthest = max(self.furthest, self.world.now)
        behind = (self.furthest - self.world.now).total_seconds()
        self.world.wait(-max(0, min(seconds, SET_BACK - behind)))

    def _step(self, writes: int | None) -> None:
        before = self.world.schedule.status
        with suppress(Killed):
            self.world.step(writes=writes)
        self._note(before, self.world.schedule.status)

    def _note(self, before: PipelineScheduleStatus, after: PipelineScheduleStatus) -> None:
        """Write down each timetable, and the minutes that it decided."""
        if after.timetable is None:
            return
        if before.timetable is None or _key(before.timetable) != _key(after.timetable):
            if self.epochs:
                timetable, begin, _ = self.epochs[-1]
                self.epochs[-1] = (timetable, begin, self._decided(begin, after.last_tick))
            since = minute_of(datetime.fromisoformat(after.timetable.since))
            if after.last_tick is not None:
                since = max(since, after.last_tick)
            begin = since if self.epochs else minute_of(BEGIN)
            self.epochs.append((_timetable(self.world), begin, begin))
        timetable, begin, _ = self.epochs[-1]
        self.epochs[-1] = (timetable, begin, self._decided(begin, after.last_tick))

    @staticmethod
    def _decided(begin: int, last: int | None) -> int:
        return begin if last is None else max(begin, last)


def _key(known: TimetableStatus) -> tuple[str, ...]:
    return known.schedule, known.time_zone, known.skipped, known.doubled


def _timetable(world: ScheduleWorld) -> Timetable:
    spec = world.schedule.spec
    return timetable_of(spec.schedule, spec.time_zone, spec.daylight_saving)


def lived(seed: int, steps: int = 60) -> Life:
    life = Life(seed)
    life.live(steps)
    return life


SEEDS = st.integers(0, 2**32)


@given(SEEDS)
@example(152816)  # an edit at the very minute of a tick
@example(776213899)  # a clock that goes back to before the creation
@example(225)  # a kill, and a clock that goes back: some of what the run carries is decided by then
@example(395)  # a kill, and a clock that goes back: another run is made before the one that is there
@example(21209)  # more decisions than there is room for, in the step that makes the run that carries them
@example(3475)  # the last run of a life is refused
@settings(max_examples=15, derandomize=True)
def test_each_tick_has_one_decision_and_runs_at_most_once(seed: int) -> None:
    life = lived(seed)
    world, status = life.world, life.world.schedule.status
    spans = world.ledger()
    decided = sum(count for _, _, _, count in spans)
    # That a run is created twice, the world itself refuses.
    ticks = sum(timetable.count(begin, end) for timetable, begin, end in life.epochs)
    assert sum(n for name, n in status.counts.items() if name != Decision.SKIPPED_DST) == ticks
    assert decided + status.uncarried_left_out == sum(status.counts.values())
    assert status.counts.get(Decision.RAN, 0) + status.counts.get(Decision.REPLACED, 0) == len(world.created)
    told = [span for span in spans if span[0] != Decision.SKIPPED_DST]
    assert all(before[2] < after[1] for before, after in pairwise(told))


@given(SEEDS)
@settings(max_examples=8, derandomize=True)
def test_what_is_planned_twice_is_done_once(seed: int) -> None:
    world = lived(seed, 30).world
    world.refuses = ""
    world.settle()
    plan = plan_schedule(world.observed())
    assert (plan.cancels, plan.creates, plan.deletes) == ((), (), ())
    assert plan.status == world.schedule.status
    assert plan.requeue_after is not None
    assert plan.requeue_after >= 0


@given(SEEDS)
@settings(max_examples=8, derandomize=True)
def test_policies_limits_and_deadlines_hold(seed: int) -> None:
    life = lived(seed, 50)
    world, spec = life.world, life.world.schedule.spec
    if spec.concurrency_policy == "Forbid":
        assert world.most_live <= 1
    if spec.starting_deadline_seconds is not None:
        # The clock of a step stands still; jitter begins later.
        assert all(
            late <= spec.starting_deadline_seconds + spec.jitter_seconds for late in world.late.values()
        )
    if spec.catch_up.policy == "None" and spec.starting_deadline_seconds is None:
        assert all(late <= 60 + spec.jitter_seconds for late in world.late.values())
    world.refuses = ""
    world.settle()
    finished = [run for run in world.runs.values() if run.finished]
    good = [run for run in finished if run.phase is Phase.SUCCEEDED]
    assert len(good) <= spec.successful_runs_history_limit
    assert len(finished) - len(good) <= spec.failed_runs_history_limit
    assert world.status_bytes < 8192


@given(SEEDS)
@settings(max_examples=6, derandomize=True)
def test_each_end_is_counted_once_whoever_is_killed(seed: int) -> None:
    life = Life(seed)
    life.world.edit(suspendAfterFailures=0)
    life.live(50)
    life.world.refuses = ""
    life.world.settle()
    ends = life.world.ends
    failures = len(ends) if Phase.SUCCEEDED not in ends else ends[::-1].index(Phase.SUCCEEDED)
    if not life.world.schedule.spec.suspend and "ByUser" not in life.world.schedule.status.suspended:
        assert life.world.schedule.status.consecutive_failures <= failures


TEXT = st.text(max_size=20)
RUNS = st.builds(
    ScheduledRun,
    name=st.one_of(st.integers(0, 99_999_999).map("nightly-{}".format), TEXT),
    uid=TEXT,
    controller=st.sampled_from(["0f0f0f0f-1111-2222-3333-444444444444", "x"]),
    schedule_uid=st.sampled_from(["0f0f0f0f-1111-2222-3333-444444444444", "x"]),
    phase=st.sampled_from([*Phase, ""]),
    completed_at=st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)),
    ledger=TEXT | st.just('[["Ran",29578560,29578560,1]]'),
    cancelled=st.booleans(),
    backfill=st.booleans(),
)
SPANS = st.builds(
    DecisionSpan,
    decision=st.sampled_from(Decision),
    first=st.integers(0, 99_999_999),
    last=st.integers(0, 99_999_999),
    count=st.integers(1, 2**40),
)
KNOWN = st.builds(
    TimetableStatus,
    schedule=st.sampled_from([*TEXTS, "* * * *", ""]),
    time_zone=st.sampled_from([*ZONES, "Gone/Zone"]),
    skipped=st.sampled_from(["Shift", "Skip", "x"]),
    doubled=st.sampled_from(["First", "x"]),
    since=st.sampled_from(["", "x", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-27T00:00:00Z"]),
)
STATUSES = st.builds(
    PipelineScheduleStatus,
    timetable=st.none() | KNOWN,
    last_tick=st.none() | st.integers(0, 99_999_999),
    decisions=st.lists(SPANS, max_size=16),
    uncarried=st.lists(SPANS, max_size=16),
    suspended=st.sampled_from(["", "ByUser", "AfterFailures"]),
    awaited=st.lists(st.integers(0, 99_999_999), max_size=64),
    counts=st.dictionaries(
        st.sampled_from([*map(str, Decision), "Later"]), st.integers(0, 2**40), max_size=8
    ),
)


@given(STATUSES, st.lists(RUNS, max_size=8), st.sampled_from(TEXTS), SEEDS)
@settings(max_examples=30, derandomize=True)
def test_the_planner_bears_any_status_and_any_runs(
    status: PipelineScheduleStatus, runs: list[ScheduledRun], text: str, seed: int
) -> None:
    chance = random.Random(seed)
    schedule = schedule_of(schedule=text, concurrencyPolicy=chance.choice(("Allow", "Forbid", "Replace")))
    schedule = schedule.model_copy(update={"status": status})
    now = BEGIN + timedelta(days=chance.randrange(-20_000, 20_000))
    observed = ObservedSchedule(schedule, now, tuple(runs), ("wrong",) if seed % 5 == 0 else ())
    plan = plan_schedule(observed)
    assert plan == plan_schedule(observed)
    assert len(plan.status.model_dump_json(by_alias=True, exclude_defaults=True).encode()) < 8192
    assert all(create.tick * 60 <= now.timestamp() for create in plan.creates)
