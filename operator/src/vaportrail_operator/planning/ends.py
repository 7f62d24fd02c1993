"""Why a run that is under way comes to its end, and what it ended as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vaportrail.contract import Outcome
from vaportrail.resources.status import Phase, PipelineRunStatus, Reason, Receipt, shortened
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.answers import run_answer
from vaportrail_operator.planning.looks import MESSAGE_LENGTH, ended, ray_cluster, waiting
from vaportrail_operator.planning.names import base_name, runner_name
from vaportrail_operator.planning.receipt import entry
from vaportrail_operator.planning.types import Component, Kind, Observed, PodSeen

__all__ = ["CAUSES", "End", "end_of", "may_be_lost", "outcome_of", "verdict"]

CAUSES = (
    Reason.RUNNER_LOST,
    Reason.RAY_CLUSTER_LOST,
    Reason.PROVISIONING_FAILED,
    Reason.DEADLINE_EXCEEDED,
    Reason.CANCELLED_BY_USER,
)
"""The reasons that a run keeps from the start of its release to its end, because nothing else holds them."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a run that is under way.

    Attributes:
        reason: one of `CAUSES`, or `ReleasingCompute` where the runner ended by itself.
        outcome: what the operator says of the run; the record's word counts more.
        message: why, in words.
    """

    reason: Reason
    outcome: Outcome
    message: str = ""


def end_of(observed: Observed, status: PipelineRunStatus) -> End | None:
    """Return why a run in `Provisioning` or `Running` ends now, or None while it goes on."""
    found = next(_ends(observed, status), None)
    return found and End(found.reason, found.outcome, shortened(found.message, MESSAGE_LENGTH))


def _ends(observed: Observed, status: PipelineRunStatus) -> Iterator[End]:
    """Yield the reasons there are, the most final first."""
    run = observed.run
    runner = observed.pod(Component.RUNNER)
    if runner and ended(runner):
        yield _runner_ended(observed, runner)
    if run.spec.cancel:
        yield End(Reason.CANCELLED_BY_USER, Outcome.CANCELLED, "spec.cancel is set")
    if _is_lost(observed, entry(status.receipt, Kind.POD, runner_name(run))):
        yield End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, "the runner's pod was deleted")
    yield from _cluster_ended(observed, status)
    if status.phase is Phase.RUNNING and deadlines.over(observed, deadlines.of_run(observed.run, status)):
        seconds = run.spec.deadlines.run_seconds
        yield End(Reason.DEADLINE_EXCEEDED, Outcome.TIMED_OUT, f"it ran longer than runSeconds: {seconds}")
    if status.phase is Phase.PROVISIONING and deadlines.over(
        observed, deadlines.of_provisioning(run, status)
    ):
        why = waiting(observed) or "the pipeline did not start"
        late = f"{why} (provisioningSeconds: {run.spec.deadlines.provisioning_seconds})"
        yield End(Reason.PROVISIONING_FAILED, Outcome.RUNNER_LOST, late)


def _runner_ended(observed: Observed, runner: PodSeen) -> End:
    answer = run_answer(runner)
    if answer is None or not answer.outcome.ended:
        return End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, _how_it_ended(runner))
    if answer.outcome is Outcome.CANCELLED and observed.run.spec.cancel:
        return End(Reason.CANCELLED_BY_USER, Outcome.CANCELLED, answer.message or "spec.cancel is set")
    if answer.outcome is Outcome.CANCELLED:
        return End(
            Reason.RUNNER_LOST, Outcome.CANCELLED, "the runner was told to end, but not by spec.cancel"
        )
    if answer.outcome is Outcome.TIMED_OUT:
        return End(Reason.DEADLINE_EXCEEDED, answer.outcome, answer.message)
    return End(Reason.RELEASING_COMPUTE, answer.outcome, answer.message)


def _how_it_ended(pod: PodSeen) -> str:
    """Return in words how a pod ended that did not say so itself."""
    what = f"{pod.component.value} pod"
    if pod.terminated is None:
        return f"{what}: " + ": ".join(part for part in (pod.reason or "Failed", pod.message) if part)
    return f"{what}: {pod.terminated.reason or 'ended'}, exit code {pod.terminated.exit_code}, no answer"


def _cluster_ended(observed: Observed, status: PipelineRunStatus) -> Iterator[End]:
    """Yield the loss of the RayCluster, or of its head: a head that is made again knows nothing."""
    cluster = ray_cluster(observed)
    lost = _is_lost(observed, entry(status.receipt, Kind.RAY_CLUSTER, base_name(observed.run)))
    if observed.kuberay and (lost or (cluster is not None and cluster.deleting)):
        yield End(Reason.RAY_CLUSTER_LOST, Outcome.NODE_LOST, "the RayCluster was deleted")
    if status.phase is not Phase.RUNNING:
        return
    heads = observed.pods_of(Component.HEAD)
    if heads and all(ended(head) for head in heads):
        head = heads[0]
        how = head.terminated.reason or "ended" if head.terminated else head.reason or "Failed"
        yield End(Reason.RAY_CLUSTER_LOST, Outcome.NODE_LOST, f"the Ray head ended: {how}")


def _is_lost(observed: Observed, seen: Receipt | None) -> bool:
    """Return whether something was seen, and a live look has not found it since it is not seen any more."""
    removed = times.end(seen.lifetime) if seen else None
    swept = observed.swept
    if seen is None or removed is None or swept is None:
        return False
    return swept.at >= removed and seen.object not in swept.left


def may_be_lost(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether a live look has to tell if the runner or the RayCluster is gone.

    That a cache does not show them is not enough to end a run: it may be old.
    """
    run = observed.run
    once = (
        entry(status.receipt, Kind.POD, runner_name(run)),
        entry(status.receipt, Kind.RAY_CLUSTER, base_name(run)) if observed.kuberay else None,
    )
    return any(each is not None and not times.is_open(each.lifetime) for each in once)


def outcome_of(status: PipelineRunStatus) -> Outcome:
    """Return what the status says that the code did."""
    known = {each.value: each for each in Outcome}
    return known.get(status.outcome, Outcome.RUNNER_LOST)


def verdict(status: PipelineRunStatus) -> tuple[Phase, Reason]:
    """Return how a run ends whose record is sealed, or will not be: by the record's word.

    Args:
        status: its outcome is the record's; its reason still is why the run came to its end.
    """
    if status.record is None or status.record.state != "Sealed":
        return Phase.FAILED, Reason.SEAL_FAILED
    outcome = outcome_of(status)
    cause = status.reason if isinstance(status.reason, Reason) and status.reason in CAUSES else None
    if outcome is Outcome.SUCCEEDED:
        return Phase.SUCCEEDED, Reason.COMPLETED
    if outcome in (Outcome.CANCELLED, Outcome.RUNNER_LOST) and cause is Reason.CANCELLED_BY_USER:
        return Phase.CANCELLED, cause
    if cause is not None and cause is not Reason.CANCELLED_BY_USER:
        return Phase.FAILED, cause
    of_itself = {
        Outcome.TIMED_OUT: Reason.DEADLINE_EXCEEDED,
        Outcome.RUNNER_LOST: Reason.RUNNER_LOST,
        Outcome.CANCELLED: Reason.RUNNER_LOST,
    }
    return Phase.FAILED, of_itself.get(outcome, Reason.PIPELINE_FAILED)
