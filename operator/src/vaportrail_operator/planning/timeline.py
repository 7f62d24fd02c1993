"""The timeline: what the run's infrastructure did when, from what has been seen of it.

What has been written stays: pods go, and with them what they said. The intervals that only the
operator knows (`Drain`, `Release…`, `Seal`) are open from when it begins with them; deadlines count
from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from vaportrail.contract.pod_messages import TimelineEntry
from vaportrail.crd.status import ENTRY_LIMIT, Phase, PipelineRunStatus, RecordStatus
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.names import created_at
from vaportrail_operator.planning.pod_reports import run_report
from vaportrail_operator.planning.pod_state import (
    compute,
    drained,
    expected_workers,
    node_unreachable,
    ray_cluster,
    terminated,
)
from vaportrail_operator.planning.timeline_names import (
    CLEANUP_FORCED,
    DRAIN,
    FIRST_WORKER_READY,
    NO_WORKER,
    RELEASE_FORCED,
    SEAL,
    USER_CODE,
)
from vaportrail_operator.planning.types import Component, Observed, ObservedPod

__all__ = ["entries_for_record", "timeline_of"]

_BUSY = (Phase.PROVISIONING, Phase.RUNNING)
_UNDER_WAY = (*_BUSY, Phase.RELEASING, Phase.SEALING)
_STEPS = (
    ("Scheduled", "created_at", "scheduled_at"),
    ("Pulled", "scheduled_at", "started_at"),
    ("Ready", "started_at", "ready_at"),
)


class _Timeline:
    """A timeline that is being written.

    Nodes have clocks of their own, and user code says what it likes: nothing is before the run was made, nor
    later than it is seen.
    """

    def __init__(self, known: Mapping[str, str], earliest: datetime | None, now: datetime) -> None:
        self.known = dict(known)
        self._earliest, self._now = earliest or now, now

    def _within(self, time: datetime) -> datetime:
        return times.within(time, self._earliest, self._now)

    def once(self, name: str, start: datetime | None, end: datetime | None) -> None:
        """Write an interval when both its ends are known, and never again."""
        if name not in self.known and start is not None and end is not None:
            self.known[name] = times.interval(self._within(start), self._within(end))

    def begin(self, name: str, start: datetime | None) -> None:
        """Begin an interval, once; a beginning that nobody can read is none."""
        if start is not None and times.begin(self.known.get(name, "")) is None:
            self.known[name] = times.interval(self._within(start))

    def begin_again(self, name: str, start: datetime) -> None:
        """Begin an interval that is not open, also one that has ended."""
        if not times.is_open(self.known.get(name, "")):
            self.known[name] = times.interval(start)

    def finish(self, name: str, end: datetime | None, start: datetime | None = None) -> None:
        """End an interval that was begun, once; a better start may be known by now."""
        if end is not None and times.is_open(self.known.get(name, "")):
            begun = start or times.begin(self.known[name])
            self.known[name] = times.interval(self._within(begun or end), self._within(end))


def timeline_of(observed: Observed, status: PipelineRunStatus) -> dict[str, str]:
    """Return the timeline so far.

    Args:
        observed: what is seen.
        status: as this plan leaves it, but for the timeline.
    """
    timeline = _Timeline(status.timeline, created_at(observed.run), observed.now)
    # A run that never got to make anything was not queued for it either.
    if not status.start_time and status.phase not in _UNDER_WAY:
        return timeline.known
    if observed.run.status.phase is Phase.SEALING:
        # What a sealer is asked for does not change any more, whatever turns up.
        _forced_release(timeline, observed, status)
        _sealing(timeline, observed, status)
        return timeline.known
    over = status.phase not in _BUSY
    timeline.once("Queued", created_at(observed.run), times.parse(status.start_time))
    _provisioning(timeline, observed, over)
    _user_code(timeline, observed, status.phase)
    if over:
        _release(timeline, observed)
        _forced_release(timeline, observed, status)
    if over and status.phase is not Phase.RELEASING:
        _sealing(timeline, observed, status)
    # The schema takes no more; nothing of ours comes near.
    return dict(list(timeline.known.items())[:ENTRY_LIMIT])


def _provisioning(timeline: _Timeline, observed: Observed, over: bool) -> None:
    collector, head = observed.pod(Component.COLLECTOR), observed.pod(Component.HEAD)
    if collector:
        timeline.once("CollectorReady", collector.created_at, collector.ready_at)
    _steps(timeline, "Head", [head] if head else [], 1, over)
    workers = observed.trusted_pods(Component.WORKER)
    _steps(timeline, "Workers", workers, expected_workers(observed), over)
    ready = [(pod.ready_at, pod.created_at) for pod in workers if pod.ready_at]
    if ready:
        first, created = min(ready)
        timeline.once(FIRST_WORKER_READY, created, first)
    if over or any(pod.ready for pod in workers):
        timeline.finish(NO_WORKER, observed.now)
    elif FIRST_WORKER_READY in timeline.known:
        timeline.begin_again(NO_WORKER, observed.now)
    runner = observed.pod(Component.RUNNER)
    if runner:
        timeline.once("RunnerScheduled", runner.created_at, runner.scheduled_at)
        timeline.once("RunnerPulled", runner.scheduled_at, _started(runner))


def _steps(timeline: _Timeline, what: str, pods: Sequence[ObservedPod], expected: int, over: bool) -> None:
    """Write how the pods of one kind got ready, once all have, or will not any more."""
    for step, since, until in _STEPS:
        starts = [time for pod in pods if (time := getattr(pod, since))]
        ends = [time for pod in pods if (time := getattr(pod, until))]
        if starts and ends and (over or len(ends) >= expected):
            timeline.once(f"{what}{step}", min(starts), max(ends))


def _started(pod: ObservedPod) -> datetime | None:
    return pod.started_at or (pod.terminated.started_at if pod.terminated else None)


def _user_code(timeline: _Timeline, observed: Observed, phase: str) -> None:
    over = phase not in _BUSY
    runner = observed.pod(Component.RUNNER)
    report = run_report(runner)
    start = times.parse(report.user_code_started) if report else None
    if runner:
        start = start or runner.ready_at
        joined = times.parse(report.joined) if report else None
        if report or over:
            timeline.once("RunnerJoined", _started(runner), joined or runner.ready_at)
    timeline.begin(USER_CODE, start or (observed.now if phase == Phase.RUNNING else None))
    if runner and runner.terminated:
        stop = times.parse(report.user_code_ended) if report else None
        timeline.finish(USER_CODE, stop or runner.terminated.finished_at or observed.now, start)
    elif over and terminated(runner):
        timeline.finish(USER_CODE, observed.now)


def _release(timeline: _Timeline, observed: Observed) -> None:
    now = observed.now
    timeline.begin(DRAIN, now)
    ray = observed.pods_of(Component.HEAD, Component.WORKER)
    runner = observed.pod(Component.RUNNER)
    collector = observed.pod(Component.COLLECTOR)
    cluster = ray_cluster(observed)
    shipping = [pod for pod in compute(observed) if pod is not collector]
    if all(drained(pod) for pod in shipping) and cluster is None:
        ends = [pod.drained_at for pod in shipping if pod.drained_at]
        timeline.finish(DRAIN, max(ends, default=now))
    if cluster and (terminated(runner) or node_unreachable(observed, runner)):
        timeline.begin("ReleaseRayCluster", now)
    if runner:
        timeline.begin("ReleaseRunner", now)
    else:
        timeline.finish("ReleaseRunner", now)
    if not ray and cluster is None:
        timeline.finish("ReleaseRayCluster", now)
    if not times.is_open(timeline.known[DRAIN]):
        if collector or observed.services:
            timeline.begin("ReleaseCollector", now)
        else:
            timeline.finish("ReleaseCollector", now)


def _forced_release(timeline: _Timeline, observed: Observed, status: PipelineRunStatus) -> None:
    left = compute(observed) or observed.ray_cluster or observed.services
    if status.phase is not Phase.RELEASING:
        timeline.finish(RELEASE_FORCED, None if left else observed.now)
    elif deadlines.over(observed, deadlines.of_release(observed.run, status)):
        timeline.begin(RELEASE_FORCED, observed.now)


def _forced_cleanup(timeline: _Timeline, observed: Observed, status: PipelineRunStatus) -> None:
    if status.phase is not Phase.SEALING:
        timeline.finish(CLEANUP_FORCED, None if status.leftovers else observed.now)
    elif deadlines.over(observed, deadlines.of_sealer(observed.run, status)):
        timeline.begin(CLEANUP_FORCED, observed.now)


def _sealing(timeline: _Timeline, observed: Observed, status: PipelineRunStatus) -> None:
    _seal(timeline, observed, status.record)
    _forced_cleanup(timeline, observed, status)


def _seal(timeline: _Timeline, observed: Observed, record: RecordStatus | None) -> None:
    timeline.begin(SEAL, observed.now)
    sealer = observed.pod(Component.SEALER)
    if sealer and sealer.terminated and sealer.terminated.exit_code == 0:
        timeline.finish(SEAL, sealer.terminated.finished_at or observed.now)
    elif record and record.state != "Open":
        timeline.finish(SEAL, observed.now)


def entries_for_record(timeline: Mapping[str, str]) -> list[TimelineEntry]:
    """Return the intervals that had ended when the seal began, for the run's record.

    What ends later is not in it: whoever asks for the sealer once more asks for the same. That is only what
    the operator itself ends; others end by the clocks of nodes, and none of them is added any more.
    """
    entries, seal = [], times.begin(timeline.get(SEAL, ""))
    for name, interval in timeline.items():
        start, _, end = interval.partition("/")
        ended = times.end(interval)
        late = name in (SEAL, CLEANUP_FORCED, RELEASE_FORCED) and ended and seal and ended > seal
        if ended is not None and not late:
            entries.append(TimelineEntry(name=name, start=start, end=end))
    return entries
