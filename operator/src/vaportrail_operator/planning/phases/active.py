"""`Provisioning` and `Running`: what is made, and what is made again."""

from __future__ import annotations

from collections.abc import Iterator

from vaportrail.crd.status import Phase, PipelineRunStatus, Reason
from vaportrail_operator.planning import deadlines
from vaportrail_operator.planning.children.raycluster import ray_cluster as ray_cluster_manifest
from vaportrail_operator.planning.children.runner import runner_pod
from vaportrail_operator.planning.children.tokens import create_tokens
from vaportrail_operator.planning.collector_upkeep import ensure_collector
from vaportrail_operator.planning.ends import end_of, missing_since
from vaportrail_operator.planning.leftovers import sweep_again
from vaportrail_operator.planning.names import base_name, runner_name, tokens_name
from vaportrail_operator.planning.phases.releasing import releasing
from vaportrail_operator.planning.pod_state import ray_cluster
from vaportrail_operator.planning.reasons import waiting
from vaportrail_operator.planning.receipt import was_seen
from vaportrail_operator.planning.steps import PhaseResult
from vaportrail_operator.planning.types import Action, Component, Create, Kind, Observed, SecretState

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
    why = waiting(observed)
    status = status.model_copy(
        update={
            "phase": Phase.RUNNING if running else Phase.PROVISIONING,
            "reason": _reason(running, why),
            "message": why,
        }
    )
    missing = tuple(_missing(observed, status))
    since = missing_since(observed, status)
    if since is None:
        return PhaseResult(status, missing, None if observed.kuberay else deadlines.LOOK_FOR_KUBERAY)
    # First: what cannot be made must not keep it from being told.
    looked = sweep_again(observed, status, since)
    return PhaseResult(status, (*looked.actions, *missing), looked.again)


def _reason(running: bool, why: str) -> Reason:
    if why:
        return Reason.POD_WAITING
    return Reason.RUNNING_PIPELINE if running else Reason.STARTING_PODS


def _missing(observed: Observed, status: PipelineRunStatus) -> Iterator[Action]:
    """Yield what makes what is not there.

    The RayCluster and the runner hold the run: they are made once, and never again after they have
    been seen. What is dear comes last: nothing follows on what could not be made.
    """
    run = observed.run
    provisioning = status.phase is Phase.PROVISIONING
    secret_seen = was_seen(status.receipt, Kind.SECRET, tokens_name(run))
    if provisioning and observed.secret is not SecretState.MADE and not secret_seen:
        yield create_tokens(run)
    yield from ensure_collector(observed)
    if not provisioning:
        return
    runner_seen = was_seen(status.receipt, Kind.POD, runner_name(run))
    if observed.pod(Component.RUNNER) is None and not runner_seen:
        yield Create(Kind.POD, runner_pod(run))
    cluster_seen = was_seen(status.receipt, Kind.RAY_CLUSTER, base_name(run))
    if observed.kuberay and ray_cluster(observed) is None and not cluster_seen:
        yield Create(Kind.RAY_CLUSTER, ray_cluster_manifest(run))
