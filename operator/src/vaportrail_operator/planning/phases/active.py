"""`Provisioning` and `Running`: what is made, and what is made again."""

from __future__ import annotations

from vaportrail.crd.status import Phase, PipelineRunStatus, Reason
from vaportrail_operator.planning import deadlines
from vaportrail_operator.planning.ends import end_of, missing_since
from vaportrail_operator.planning.leftovers import sweep_again
from vaportrail_operator.planning.phases.releasing import releasing
from vaportrail_operator.planning.reasons import status_message, waiting
from vaportrail_operator.planning.steps import PhaseResult
from vaportrail_operator.planning.types import Component, Observed
from vaportrail_operator.planning.upkeep import missing

__all__ = ["active"]


def active(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step of a run that is being provisioned, or runs."""
    end = end_of(observed, status)
    if end is None:
        return _go_on(observed, status)
    ending = {
        "phase": Phase.RELEASING,
        "reason": end.reason,
        "outcome": end.outcome.value,
        "message": end.message,
    }
    return releasing(observed, status.model_copy(update=ending))


def _go_on(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the step of a run that nothing speaks against."""
    runner = observed.pod(Component.RUNNER)
    running = status.phase is Phase.RUNNING or bool(runner and (runner.ready or runner.ready_at))
    wait = waiting(observed)
    # A pod that an autoscaler brings a node for is told of, and nothing is wrong yet.
    wrong = wait is not None and (wait.wrong_from is None or observed.now >= wait.wrong_from)
    status = status.model_copy(
        update={
            "phase": Phase.RUNNING if running else Phase.PROVISIONING,
            "reason": _reason(running, wrong),
            "message": status_message(observed, wait),
        }
    )
    made = tuple(missing(observed, status))
    since = missing_since(observed, status)
    if since is None:
        return PhaseResult(status, made, None if observed.kuberay else deadlines.LOOK_FOR_KUBERAY)
    # First: what cannot be made must not keep it from being told.
    looked = sweep_again(observed, status, since)
    return PhaseResult(status, (*looked.actions, *made), looked.again)


def _reason(running: bool, wrong: bool) -> Reason:
    if wrong:
        return Reason.POD_WAITING
    return Reason.RUNNING_PIPELINE if running else Reason.STARTING_PODS
