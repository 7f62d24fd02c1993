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

from collections.abc import Iterable, Iterator

from vaportrail.contract.pod_environment import CONTRACT_VERSION
from vaportrail.crd.status import ConditionType, Phase, PipelineRunStatus, Reason, RecordStatus, shortened
from vaportrail.crd.validation.validate import problems_of
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.conditions import conditions_of, with_generation
from vaportrail_operator.planning.ends import end_of
from vaportrail_operator.planning.names import record_uri
from vaportrail_operator.planning.pod_reports import run_report
from vaportrail_operator.planning.pod_state import will_not_restart
from vaportrail_operator.planning.provisioning import go_on
from vaportrail_operator.planning.receipt import receipt_of
from vaportrail_operator.planning.release import is_over, late_children, release
from vaportrail_operator.planning.removal import removal
from vaportrail_operator.planning.sealing import final_status, seal
from vaportrail_operator.planning.steps import PhaseResult, soonest
from vaportrail_operator.planning.timeline import timeline_of
from vaportrail_operator.planning.timeline_names import FIRST_WORKER_READY
from vaportrail_operator.planning.types import (
    Action,
    Component,
    DeleteRun,
    KubernetesEvent,
    Observed,
    ObservedPod,
    Plan,
)

__all__ = ["plan"]

_PROBLEMS_LENGTH = 1000


def plan(observed: Observed) -> Plan:
    """Return what follows from what is observed of a run."""
    run = observed.run
    if run.metadata.deletion_timestamp is not None:
        # All but the sealer is the run's own, and is collected with it. The sealer may end its work.
        sealers = [pod for pod in observed.pods_of(Component.SEALER) if will_not_restart(pod)]
        return Plan(run.status, tuple(_removals(observed, sealers)))
    if isinstance(run.status.phase, Phase) and run.status.phase.terminal:
        return _over(observed)
    step = _step(observed, _noticed(observed))
    status = step.status.model_copy(update={"timeline": timeline_of(observed, step.status)})
    conditions = conditions_of(observed, status, step.proof)
    status = _worth_writing(run.status, status.model_copy(update={"conditions": conditions}))
    return Plan(
        status,
        step.actions,
        soonest(step.again, deadlines.next_deadline(observed, status)),
        tuple(_events(run.status, status)),
    )


def _worth_writing(before: PipelineRunStatus, after: PipelineRunStatus) -> PipelineRunStatus:
    """Return the new status, or the old one where it only lacks what the pods still say.

    Hundreds of workers get ready one by one: nobody waits for each of these steps to be written. That
    the first is ready has to be known when it is lost, too.
    """
    if after.phase not in (Phase.PROVISIONING, Phase.RUNNING):
        return after
    if (FIRST_WORKER_READY in after.timeline) != (FIRST_WORKER_READY in before.timeline):
        return after
    counts = {each.object: each.count for each in before.receipt}
    receipt = [
        each.model_copy(update={"count": counts.get(each.object, each.count)}) for each in after.receipt
    ]
    same = after.model_copy(update={"timeline": before.timeline, "receipt": receipt}) == before
    return before if same else after


def _noticed(observed: Observed) -> PipelineRunStatus:
    """Return the status with what is seen now, and may not be seen for long."""
    status = observed.run.status
    report = run_report(observed.pod(Component.RUNNER))
    pods = observed.pods_of(Component.RUNNER, Component.HEAD, Component.WORKER)
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
            "user_code_start_time": _time(report.user_code_started if report else "")
            or status.user_code_start_time
            or ready,
        }
    )


def _time(text: str) -> str:
    time = times.parse(text)
    return times.stamp(time) if time else ""


def _step(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    match status.phase:
        case "" | Phase.PENDING:
            return _pending(observed, status)
        case Phase.PROVISIONING | Phase.RUNNING:
            return _active(observed, status)
        case Phase.RELEASING:
            return _releasing(observed, status)
        case _:
            return seal(observed, status)


def _pending(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    run = observed.run
    problems = "; ".join(map(str, problems_of(run)))
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
    return _active(observed, status.model_copy(update=started))


def _wait(status: PipelineRunStatus, reason: Reason, message: str, again: float | None = None) -> PhaseResult:
    waits = {"phase": Phase.PENDING, "reason": reason, "message": message}
    return PhaseResult(status.model_copy(update=waits), again=again)


def _active(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    end = end_of(observed, status)
    if end is None:
        return go_on(observed, status)
    ending = {
        "phase": Phase.RELEASING,
        "reason": end.reason,
        "outcome": end.outcome.value,
        "message": end.message,
    }
    return _releasing(observed, status.model_copy(update=ending))


def _releasing(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    report = run_report(observed.pod(Component.RUNNER))
    if report and report.outcome.ended:
        # It was told to end, and says how that went.
        status = status.model_copy(update={"outcome": report.outcome.value})
    return seal(observed, status) if is_over(observed, status) else release(observed, status)


def _over(observed: Observed) -> Plan:
    """Return the plan for a run that has ended: it stays as it is, until its time to live is over."""
    run = observed.run
    generation = run.metadata.generation
    status = run.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": with_generation(run.status.conditions, generation),
        }
    )
    if deadlines.over(observed, deadlines.of_expiry(run, status)):
        return Plan(status, (DeleteRun(),))
    left: tuple[Action, ...] = (
        *late_children(observed, status),
        *_removals(observed, observed.pods_of(Component.SEALER)),
    )
    return Plan(status, left, deadlines.next_deadline(observed, status))


def _removals(observed: Observed, pods: Iterable[ObservedPod]) -> Iterator[Action]:
    for pod in pods:
        yield from removal(observed, pod)


def _events(before: PipelineRunStatus, after: PipelineRunStatus) -> list[KubernetesEvent]:
    """Return the Event of a transition; a mere change of words is none."""
    if (before.phase, before.reason) == (after.phase, after.reason) or not after.reason:
        return []
    bad = after.reason in _BAD or after.phase is Phase.FAILED
    message = shortened(f"{after.phase}: {after.message}" if after.message else str(after.phase))
    events = [KubernetesEvent("Warning" if bad else "Normal", str(after.reason), message)]
    if before.phase is Phase.RELEASING and after.phase is Phase.SEALING and after.leftovers:
        left = shortened(f"still there: {', '.join(after.leftovers)}")
        events.append(KubernetesEvent("Warning", "ComputeLeft", left))
    elif before.phase is Phase.RELEASING and after.phase is Phase.SEALING:
        events.append(
            KubernetesEvent("Normal", str(ConditionType.COMPUTE_RELEASED), "all compute of the run is gone")
        )
    return events


_BAD = (
    Reason.KUBERAY_MISSING,
    Reason.POD_WAITING,
    Reason.RUNNER_LOST,
    Reason.RAY_CLUSTER_LOST,
    Reason.PROVISIONING_FAILED,
    Reason.DEADLINE_EXCEEDED,
    Reason.SEAL_FAILED,
)
