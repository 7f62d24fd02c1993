"""When a run's phases have to be over: counted from what stands in its status, never from a process."""

from __future__ import annotations

from datetime import datetime

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.pod_state import no_ray_pods_since, worker_was_ready
from vaportrail_operator.planning.quota import LOOK_AGAIN, contested_from
from vaportrail_operator.planning.reasons import set_up_late, turns
from vaportrail_operator.planning.removal import overdue_since
from vaportrail_operator.planning.timeline_names import (
    CLEANUP_FORCED,
    DRAIN,
    NO_WORKER,
    RELEASE_FORCED,
    SEAL,
    USER_CODE,
)
from vaportrail_operator.planning.types import Component, Observed

__all__ = [
    "LOOK_FOR_KUBERAY",
    "is_provisioned",
    "next_deadline",
    "of_abandoned_cleanup",
    "of_abandoned_release",
    "of_expiry",
    "of_provisioning",
    "of_release",
    "of_run",
    "of_seal",
    "of_sealer",
    "of_sealer_looks",
    "over",
    "workers_lost_since",
]

LOOK_FOR_KUBERAY = 30.0
"""Seconds until it is looked for again whether RayClusters can be made."""
_AGAIN = 10.0
"""Seconds until something that is overdue is tried again."""
_SLACK = 30
"""Seconds that the operator gives the sealer beyond the deadline in its own pod."""


def over(observed: Observed, deadline: datetime | None) -> bool:
    """Return whether a deadline has passed; one that is None never does."""
    return deadline is not None and observed.now >= deadline


def of_provisioning(observed: Observed, status: PipelineRunStatus) -> datetime | None:
    """Return when the pipeline must have started and a worker be ready; None once that is so.

    It counts anew from when no worker is ready any more: such a run gets on as little as one that never
    had one.
    """
    if is_provisioned(observed, status):
        return None
    begun = workers_lost_since(status) or times.parse(status.start_time)
    return _after(begun, observed.run.spec.deadlines.provisioning_seconds)


def is_provisioned(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether the pipeline has started, and a worker is ready or was and has just been lost."""
    if status.phase is not Phase.RUNNING or not worker_was_ready(observed, status):
        return False
    return workers_lost_since(status) is None or any(
        pod.ready for pod in observed.trusted_pods(Component.WORKER)
    )


def workers_lost_since(status: PipelineRunStatus) -> datetime | None:
    """Return since when no worker is ready of a run that has had one; None while one is."""
    lost = status.timeline.get(NO_WORKER, "")
    return times.begin(lost) if times.is_open(lost) else None


def of_run(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when the pipeline must have ended.

    The runner keeps the deadline itself and ends with a word; this is for one that does not, a
    little later.
    """
    seconds = run.spec.deadlines.run_seconds
    start = times.begin(status.timeline.get(USER_CODE, ""))
    return _after(start, seconds + run.spec.deadlines.drain_seconds if seconds else 0)


def of_release(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when all compute must be gone; then it is removed without grace."""
    return _after(times.begin(status.timeline.get(DRAIN, "")), run.spec.deadlines.release_seconds)


def of_abandoned_release(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when the run goes on though compute is left: it was removed without grace for long enough.

    That counts from when it was first tried, so an operator that was away tries it too.
    """
    return _after(times.begin(status.timeline.get(RELEASE_FORCED, "")), run.spec.deadlines.release_seconds)


def of_seal(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when the record must be sealed."""
    seconds = run.spec.deadlines.seal_seconds
    return _after(times.begin(status.timeline.get(SEAL, "")), seconds + _SLACK if seconds else 0)


def of_sealer_looks(run: PipelineRun, status: PipelineRunStatus) -> tuple[datetime, ...]:
    """Return when a sealer that has said nothing is looked for: that it went may never have been told.

    At half of its time another one has the other half; at its end, what it said in the meantime is heard.
    """
    seconds, begun = run.spec.deadlines.seal_seconds, times.begin(status.timeline.get(SEAL, ""))
    return tuple(filter(None, (_after(begun, part) for part in (seconds // 2, seconds))))


def of_sealer(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when the sealer must be gone, once it has ended; then it is removed without grace."""
    return _after(times.end(status.timeline.get(SEAL, "")), run.spec.deadlines.release_seconds)


def of_abandoned_cleanup(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when the run ends though the sealer, or what turned up beside it, is left."""
    return _after(times.begin(status.timeline.get(CLEANUP_FORCED, "")), run.spec.deadlines.release_seconds)


def of_expiry(run: PipelineRun, status: PipelineRunStatus) -> datetime | None:
    """Return when a run that has ended is deleted."""
    terminated = times.parse(status.completion_time)
    return times.later(terminated, run.spec.ttl_seconds_after_finished) if terminated else None


def next_deadline(observed: Observed, status: PipelineRunStatus) -> float | None:
    """Return in how many seconds the run's next deadline passes; None if it has none."""
    deadlines = _of_the_phase(observed, status)
    rests = [_rest(observed, deadline) or _AGAIN for deadline in deadlines if deadline]
    moments = [overdue_since(pod) for pod in observed.pods]
    moments += [set_up_late(pod) for pod in observed.pods]
    moments += turns(observed)
    if (contested := contested_from(observed)) is not None:
        rests.append(_rest(observed, contested) or LOOK_AGAIN)
    if status.phase is Phase.PROVISIONING:
        moments.append(no_ray_pods_since(observed))
    if status.phase is Phase.SEALING:
        moments += of_sealer_looks(observed.run, status)
    # What has passed of these has had its effect.
    rests += [rest for moment in moments if moment and (rest := _rest(observed, moment))]
    return min(rests, default=None)


def _of_the_phase(observed: Observed, status: PipelineRunStatus) -> tuple[datetime | None, ...]:
    run = observed.run
    match status.phase:
        case Phase.PROVISIONING:
            return (of_provisioning(observed, status),)
        case Phase.RUNNING:
            return of_run(run, status), of_provisioning(observed, status)
        case Phase.RELEASING:
            return (of_release(run, status),)
        case Phase.SEALING:
            return (of_sealer(run, status) or of_seal(run, status),)
        case "" | Phase.PENDING:
            return ()
        case _:
            return (of_expiry(run, status),)


def _rest(observed: Observed, moment: datetime) -> float:
    """Return the seconds until a moment; 0 once it has passed."""
    return max(0.0, (moment - observed.now).total_seconds())


def _after(start: datetime | None, seconds: int) -> datetime | None:
    return times.later(start, seconds) if start and seconds > 0 else None
