"""The planner: from the one frozen `Observed` to the status as it should be, and what to do.

Pure and total: no clock, no I/O, no memory, no exception. Whatever is observed twice gives the same
plan twice, and what has been carried out gives a plan without actions. So a run ends the same way
wherever the operator was killed.

```
Pending -> Provisioning -> Running -> Releasing -> Sealing -> Succeeded | Failed | Cancelled
```

Children are made in `Provisioning` only and removed from `Releasing` on; the status with the phase is
written before either. A lost collector is made again as long as somebody has to ship something.
"""

from __future__ import annotations

from vaportrail.contract.pod_environment import CONTRACT_VERSION
from vaportrail.crd.status import Phase, PipelineRunStatus, Reason, shortened
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.conditions import conditions_of
from vaportrail_operator.planning.names import created_at
from vaportrail_operator.planning.phases.active import active
from vaportrail_operator.planning.phases.deleted import deleted
from vaportrail_operator.planning.phases.ended import ended
from vaportrail_operator.planning.phases.pending import pending
from vaportrail_operator.planning.phases.releasing import releasing
from vaportrail_operator.planning.phases.sealing import sealing
from vaportrail_operator.planning.pod_reports import run_report
from vaportrail_operator.planning.receipt import receipt_of
from vaportrail_operator.planning.status_size import fitted
from vaportrail_operator.planning.steps import PhaseResult, soonest
from vaportrail_operator.planning.timeline import timeline_of
from vaportrail_operator.planning.types import Component, KubernetesEvent, Observed, ObservedPod, Plan
from vaportrail_operator.planning.worth_writing import worth_writing

__all__ = ["plan"]


def plan(observed: Observed) -> Plan:
    """Return what follows from what is observed of a run."""
    run = observed.run
    if run.metadata.deletion_timestamp is not None:
        return deleted(observed)
    if isinstance(run.status.phase, Phase) and run.status.phase.terminal:
        return ended(observed)
    step = _step(observed, _noticed(observed))
    status = step.status.model_copy(update={"timeline": timeline_of(observed, step.status)})
    conditions = conditions_of(observed, status, step.proof)
    status = fitted(status.model_copy(update={"conditions": conditions}))
    status = worth_writing(run.status, status, step.actions)
    return Plan(
        status,
        step.actions,
        soonest(step.again, deadlines.next_deadline(observed, status)),
        tuple(_events(run.status, status)),
    )


def _noticed(observed: Observed) -> PipelineRunStatus:
    """Return the status with what is seen now, and may not be seen for long."""
    status = observed.run.status
    report = run_report(observed.pod(Component.RUNNER))
    pods = observed.trusted_pods(Component.RUNNER, Component.HEAD, Component.WORKER)
    images = sorted(pod.image_id for pod in pods if pod.image_id)
    runner, head = observed.pod(Component.RUNNER), observed.pod(Component.HEAD)
    joined = runner is not None and (runner.ready or runner.ready_at is not None)
    ready = times.stamp(runner.ready_at) if runner and runner.ready_at else ""
    revision = report.source_revision[:128] if report else ""
    return status.model_copy(
        update={
            "observed_generation": observed.run.metadata.generation,
            "contract_version": CONTRACT_VERSION,
            "receipt": receipt_of(observed),
            "ray_head_uid": status.ray_head_uid or (head.uid if joined and head else ""),
            "source_revision": revision or status.source_revision,
            "image_digest": status.image_digest or (images[0].rpartition("@")[2][:512] if images else ""),
            "user_code_start_time": _started(observed, runner) or status.user_code_start_time or ready,
        }
    )


def _started(observed: Observed, runner: ObservedPod | None) -> str:
    """Return when the user's code began, by its own word; ``""`` where that is no time of its pod's life."""
    report = run_report(runner)
    said = times.parse(report.user_code_started) if report else None
    ended = runner.terminated.finished_at if runner and runner.terminated else None
    created = created_at(observed.run)
    if said is None or created is None or ended is None or not created <= said <= ended:
        return ""
    return times.stamp(said)


def _step(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    match status.phase:
        case "" | Phase.PENDING:
            return pending(observed, status)
        case Phase.PROVISIONING | Phase.RUNNING:
            return active(observed, status)
        case Phase.RELEASING:
            return releasing(observed, status)
        case _:
            return sealing(observed, status)


def _events(before: PipelineRunStatus, after: PipelineRunStatus) -> list[KubernetesEvent]:
    """Return the Event of a transition; a mere change of words is none."""
    if (before.phase, before.reason) == (after.phase, after.reason) or not after.reason:
        return []
    bad = after.reason in _BAD or after.phase is Phase.FAILED
    over = isinstance(after.phase, Phase) and after.phase.terminal
    if not (bad or over or after.leftovers):
        # How far it is stands in its status.
        return []
    message = shortened(f"{after.phase}: {after.message}" if after.message else str(after.phase))
    events = [KubernetesEvent("Warning" if bad else "Normal", str(after.reason), message)]
    if before.phase is Phase.RELEASING and after.phase is Phase.SEALING and after.leftovers:
        left = shortened(f"still there: {', '.join(after.leftovers)}")
        events.append(KubernetesEvent("Warning", "ComputeLeft", left))
    return events


_BAD = (
    Reason.KUBERAY_MISSING,
    Reason.POD_WAITING,
    Reason.RUNNER_LOST,
    Reason.RAY_CLUSTER_LOST,
    Reason.KUBERAY_TOO_OLD,
    Reason.PROVISIONING_FAILED,
    Reason.UNWRITABLE,
    Reason.DEADLINE_EXCEEDED,
    Reason.SEAL_FAILED,
)
