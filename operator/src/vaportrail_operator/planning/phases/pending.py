"""`Pending`: what must hold before anything is made, and what a run waits for."""

from __future__ import annotations

from typing import Final

from vaportrail.crd.status import Phase, PipelineRunStatus, Reason, RecordStatus, shortened
from vaportrail.crd.validation.validate import problems_of
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.final_status import final_status
from vaportrail_operator.planning.names import record_uri
from vaportrail_operator.planning.phases.active import active
from vaportrail_operator.planning.steps import PhaseResult
from vaportrail_operator.planning.types import Observed

__all__ = ["pending"]

_PROBLEMS_LENGTH: Final = 1000


def pending(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step of a run of which nothing has been made."""
    run = observed.run
    problems = "; ".join(map(str, problems_of(run, observed.left_out)))
    if problems:
        changed = status.model_copy(update={"message": shortened(problems, _PROBLEMS_LENGTH)})
        return PhaseResult(final_status(observed, changed, Phase.FAILED, Reason.INVALID_SPEC))
    if run.spec.cancel:
        changed = status.model_copy(update={"message": "spec.cancel was set before anything was made for it"})
        return PhaseResult(final_status(observed, changed, Phase.CANCELLED, Reason.CANCELLED_BY_USER))
    if run.spec.suspend:
        return _wait(status, Reason.SUSPENDED, "spec.suspend is set")
    if not observed.kuberay:
        message = "the API server does not serve rayclusters.ray.io: install KubeRay; the run goes on then"
        return _wait(status, Reason.KUBERAY_MISSING, message, again=deadlines.LOOK_FOR_KUBERAY)
    started = {
        "phase": Phase.PROVISIONING,
        "start_time": times.stamp(observed.now),
        "record": RecordStatus(uri=record_uri(run)),
    }
    return active(observed, status.model_copy(update=started))


def _wait(status: PipelineRunStatus, reason: Reason, message: str, again: float | None = None) -> PhaseResult:
    waits = {"phase": Phase.PENDING, "reason": reason, "message": message}
    return PhaseResult(status.model_copy(update=waits), again=again)
