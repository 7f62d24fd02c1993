"""Runs that hold up each other at a quota: the later gives way.

Each has head, runner and collector, and the quota has no room for a worker of any: all would wait until
their deadlines. KubeRay and the operator ask for pods one by one, so no quota admits a run as a whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.names import created_at
from vaportrail_operator.planning.obstacles import quota_of
from vaportrail_operator.planning.pod_state import compute, worker_was_ready
from vaportrail_operator.planning.reasons import Wait, waits
from vaportrail_operator.planning.types import Claimant, Observed

__all__ = ["LOOK_AGAIN", "claimant_of", "contested_from", "gives_way"]

_PATIENCE: Final = 60
"""Seconds after which a refusal is no mere moment in which another run's pods end."""
LOOK_AGAIN: Final = 60.0
"""Seconds until it is looked again which runs of the namespace wait."""


def claimant_of(observed: Observed) -> Claimant | None:
    """Return what a run is to the quotas of its namespace; None if it has nothing, and asks for nothing."""
    run, status = observed.run, observed.run.status
    holds = bool(compute(observed))
    if not holds and status.phase not in (Phase.PROVISIONING, Phase.RUNNING):
        return None
    wait = _quota_wait(observed, status)
    quota = quota_of(wait.text) if wait else ""
    return Claimant(created_at(run) or observed.now, run.metadata.uid, run.metadata.name, quota, holds)


def gives_way(observed: Observed, status: PipelineRunStatus) -> str:
    """Return why a run ends so that an earlier one has room, or ``""`` while it goes on."""
    wait, rivals = _quota_wait(observed, status), observed.rivals
    own = claimant_of(observed)
    if wait is None or rivals is None or own is None or not own.holds or own.quota != rivals.quota:
        return ""
    from_then = contested_from(observed)
    waited = from_then is not None and observed.now >= from_then
    last = rivals.last_holding is None or rivals.last_holding <= own
    if not waited or not last or rivals.others_hold or rivals.first >= own:
        return ""
    return (
        f"quota {own.quota} has no room for both: it gives way to {rivals.first.name}, which was made "
        "earlier and waits, too; fix: make it again when that has ended, or a higher quota"
    )


def contested_from(observed: Observed) -> datetime | None:
    """Return from when on a run that a quota refuses may have to give way; None where none does."""
    wait = _quota_wait(observed, observed.run.status)
    return times.later(wait.since, _PATIENCE) if wait and wait.since else None


def _quota_wait(observed: Observed, status: PipelineRunStatus) -> Wait | None:
    """Return the refusal by which a run that has never had a worker waits for a quota."""
    if status.phase not in (Phase.PROVISIONING, Phase.RUNNING) or worker_was_ready(observed, status):
        return None
    return next((wait for wait in waits(observed) if quota_of(wait.text)), None)
