"""Why a run that is under way comes to its end, and what it ended as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from vaportrail.contract.outcome import Outcome
from vaportrail.crd.status import Phase, PipelineRunStatus, Reason, shortened
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import base_name, created_at, is_head, runner_name
from vaportrail_operator.planning.pod_reports import run_report, unread_report
from vaportrail_operator.planning.pod_state import MESSAGE_LENGTH, node_unreachable, ray_cluster, terminated
from vaportrail_operator.planning.quota import gives_way
from vaportrail_operator.planning.reasons import Wait, waiting, waits, with_fix
from vaportrail_operator.planning.receipt import entry, ray_pods_entry
from vaportrail_operator.planning.timeline_names import USER_CODE
from vaportrail_operator.planning.types import Component, Observed, ObservedPod

__all__ = ["CAUSES", "End", "can_store_nothing", "end_of", "missing_since", "outcome_of", "verdict"]

CAUSES = (
    Reason.RUNNER_LOST,
    Reason.RAY_CLUSTER_LOST,
    Reason.KUBERAY_TOO_OLD,
    Reason.PROVISIONING_FAILED,
    Reason.UNWRITABLE,
    Reason.DEADLINE_EXCEEDED,
    Reason.CANCELLED_BY_USER,
    Reason.INVALID_SPEC,
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
    # On one line: `kubectl get` shows the first only.
    return found and End(
        found.reason, found.outcome, shortened(" ".join(found.message.split()), MESSAGE_LENGTH)
    )


def _ends(observed: Observed, status: PipelineRunStatus) -> Iterator[End]:
    """Yield the reasons there are, the most final first."""
    run = observed.run
    runner = observed.pod(Component.RUNNER)
    if runner and terminated(runner):
        yield _runner_end(observed, runner)
    if run.spec.cancel:
        yield End(Reason.CANCELLED_BY_USER, Outcome.CANCELLED, "spec.cancel is set")
    if observed.left_out:
        # It was begun by an operator with other bounds.
        told = "; ".join(map(str, observed.left_out))
        yield End(Reason.INVALID_SPEC, Outcome.CANCELLED, f"this operator does not keep such a run: {told}")
    if node_unreachable(observed, runner):
        yield End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, "runner pod: its node does not answer")
    if _is_lost(observed, status, Kind.POD, runner_name(run)):
        yield End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, "the runner's pod was deleted")
    if _is_replaced(observed, status):
        replaced = "the runner's pod was replaced by one that is not what the operator made"
        yield End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, replaced)
    yield from _cluster_end(observed, status)
    if status.phase is Phase.RUNNING and deadlines.over(observed, deadlines.of_run(observed.run, status)):
        seconds = run.spec.deadlines.run_seconds
        yield End(Reason.DEADLINE_EXCEEDED, Outcome.TIMED_OUT, f"it ran longer than runSeconds: {seconds}")
    cluster = ray_cluster(observed)
    if cluster is not None and cluster.lost_fields:
        old = f"KubeRay here is too old: it does not keep {' and '.join(cluster.lost_fields)} of a RayCluster"
        yield End(Reason.KUBERAY_TOO_OLD, Outcome.RUNNER_LOST, f"{old}; fix: install KubeRay 1.6 or newer")
    room = gives_way(observed, status)
    if room:
        yield End(Reason.PROVISIONING_FAILED, Outcome.RUNNER_LOST, room)
    hopeless = _hopeless(observed)
    if hopeless is not None and not deadlines.is_provisioned(observed, status):
        yield End(Reason.PROVISIONING_FAILED, Outcome.RUNNER_LOST, with_fix(hopeless.text, hopeless.obstacle))
    if deadlines.over(observed, deadlines.of_provisioning(observed, status)):
        yield End(Reason.PROVISIONING_FAILED, Outcome.RUNNER_LOST, _late(observed, status))


def _hopeless(observed: Observed) -> Wait | None:
    """Return what the run waits for in vain."""
    return next((wait for wait in waits(observed) if wait.ends_at and observed.now >= wait.ends_at), None)


def _late(observed: Observed, status: PipelineRunStatus) -> str:
    """Return why a run is not provisioned in time, and the deadline, which is not cut off."""
    limit = f" (provisioningSeconds: {observed.run.spec.deadlines.provisioning_seconds})"
    wait = waiting(observed)
    if wait is not None:
        return with_fix(wait.text, wait.obstacle, MESSAGE_LENGTH - len(limit)) + limit
    if status.phase is not Phase.RUNNING:
        return f"the pipeline did not start{limit}"
    lost = deadlines.workers_lost_since(status)
    return (
        f"no worker has been ready since {times.stamp(lost)}{limit}"
        if lost
        else f"no worker was ever ready{limit}"
    )


def _runner_end(observed: Observed, runner: ObservedPod) -> End:
    report = run_report(runner)
    if report is None or not report.outcome.ended:
        silence = ", no answer" if runner.terminated else ""
        how = f"runner pod: {unread_report(runner, 'its') or f'{_termination(runner)}{silence}'}"
        return End(Reason.RUNNER_LOST, Outcome.RUNNER_LOST, how)
    if report.outcome is Outcome.CANCELLED and observed.run.spec.cancel:
        return End(Reason.CANCELLED_BY_USER, Outcome.CANCELLED, report.message or "spec.cancel is set")
    if report.outcome is Outcome.CANCELLED:
        return End(
            Reason.RUNNER_LOST, Outcome.CANCELLED, "the runner was told to end, but not by spec.cancel"
        )
    if report.outcome is Outcome.TIMED_OUT:
        return End(Reason.DEADLINE_EXCEEDED, report.outcome, report.message)
    if report.unwritable and not report.user_code_started:
        return End(Reason.UNWRITABLE, report.outcome, report.message)
    if report.outcome is Outcome.FAILED and not report.user_code_started:
        # The source or the parameters: the pipeline has not run.
        return End(Reason.PROVISIONING_FAILED, report.outcome, report.message)
    return End(Reason.RELEASING_COMPUTE, report.outcome, report.message)


def _termination(pod: ObservedPod) -> str:
    # Why the kubelet ended it, such as an eviction; its container only says that it was killed.
    why = ": ".join(filter(None, (pod.reason, pod.message)))
    last = pod.terminated
    how = f"{last.reason or 'ended'}, exit code {last.exit_code}" if last else ""
    return "; ".join(filter(None, (why, how))) or "Failed"


def _cluster_end(observed: Observed, status: PipelineRunStatus) -> Iterator[End]:
    """Yield the loss of the RayCluster, or of its head: a head that is made again knows nothing."""
    cluster = ray_cluster(observed)
    lost = observed.kuberay and _is_lost(observed, status, Kind.RAY_CLUSTER, base_name(observed.run))
    if lost or (observed.kuberay and cluster is not None and cluster.deleting):
        yield End(Reason.RAY_CLUSTER_LOST, Outcome.NODE_LOST, "the RayCluster was deleted")
    if not _needs_its_head(observed, status):
        return
    heads = observed.trusted_pods(Component.HEAD)
    how = ""
    if heads and status.ray_head_uid and all(head.uid != status.ray_head_uid for head in heads):
        how = "was replaced, and another one knows nothing of the run"
    elif heads and all(terminated(head) or node_unreachable(observed, head) for head in heads):
        last = next((head for head in heads if terminated(head)), None)
        how = f"ended: {_termination(last)}" if last else "does not answer, nor does its node"
    elif _head_is_lost(observed, status):
        how = "is gone"
    if how:
        yield End(Reason.RAY_CLUSTER_LOST, Outcome.NODE_LOST, f"the Ray head {how}")


def _needs_its_head(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether the head is one that nobody can replace: KubeRay does until all pods were ready once."""
    cluster = ray_cluster(observed)
    return status.phase is Phase.RUNNING or (cluster is not None and cluster.provisioned)


def _head_missing_since(observed: Observed, status: PipelineRunStatus) -> datetime | None:
    """Return a time at which the head was there that is not seen now; None where that is no loss."""
    pods = ray_pods_entry(status.receipt, base_name(observed.run))
    if pods is None or observed.pods_of(Component.HEAD) or not _needs_its_head(observed, status):
        return None
    # The head is the first pod that KubeRay makes.
    return times.begin(pods.lifetime)


def _head_is_lost(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether there was a head, and a live look found none."""
    since, sweep_result = _head_missing_since(observed, status), observed.sweep_result
    if since is None or sweep_result is None or sweep_result.at < since:
        return False
    pods = (name.removeprefix(f"{Kind.POD}/") for name in sweep_result.left)
    return not any(is_head(observed.run, name) for name in pods)


def _missing_since(observed: Observed, status: PipelineRunStatus, kind: Kind, name: str) -> datetime | None:
    """Return since when an object that holds the run is not seen; None while it is, or not yet."""
    seen = entry(status.receipt, kind, name)
    if seen is not None and times.is_open(seen.lifetime):
        return None
    if seen is not None:
        return times.end(seen.lifetime) or created_at(observed.run)
    if status.phase is not Phase.RUNNING:
        return None
    # What runs has been there, whether or not it was seen.
    return times.begin(status.timeline.get(USER_CODE, "")) or created_at(observed.run)


def _is_lost(observed: Observed, status: PipelineRunStatus, kind: Kind, name: str) -> bool:
    """Return whether an object is missing, and a live look has not found it since then."""
    since, sweep_result = _missing_since(observed, status, kind, name), observed.sweep_result
    return bool(
        since and sweep_result and sweep_result.at >= since and f"{kind}/{name}" not in sweep_result.left
    )


def _is_replaced(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether the runner has gone, and another pod has its name: no look finds the name free."""
    made = entry(status.receipt, Kind.POD, runner_name(observed.run))
    others = [pod for pod in observed.pods_of(Component.RUNNER) if not pod.trusted]
    return bool(made and made.uid and others) and observed.pod(Component.RUNNER) is None


def missing_since(observed: Observed, status: PipelineRunStatus) -> datetime | None:
    """Return since when the runner, the RayCluster or its head is not seen; None while all are.

    A live look has to tell then whether it is gone: that a cache does not show it is not enough to
    end a run, for the cache may be old.
    """
    run = observed.run
    since = [_missing_since(observed, status, Kind.POD, runner_name(run))]
    if observed.kuberay:
        since.append(_missing_since(observed, status, Kind.RAY_CLUSTER, base_name(run)))
    since.append(_head_missing_since(observed, status))
    return max((each for each in since if each), default=None)


def can_store_nothing(observed: Observed, status: PipelineRunStatus) -> bool:
    """Return whether nothing can be written to the record root, nor by the collector's and sealer's key."""
    return status.reason is Reason.UNWRITABLE and observed.run.spec.record.writer_secret_ref is None


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
        first = status.reason is Reason.UNWRITABLE
        return Phase.FAILED, Reason.UNWRITABLE if first else Reason.SEAL_FAILED
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
