"""The run's conditions, made anew from the rest of its status: they are told, never decided by."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from vaportrail.crd.status import Condition, ConditionType, Phase, PipelineRunStatus, Reason
from vaportrail_operator.planning import times
from vaportrail_operator.planning.pod_state import cluster_ready
from vaportrail_operator.planning.reasons import waiting_message
from vaportrail_operator.planning.timeline_names import RELEASE_FORCED
from vaportrail_operator.planning.types import Observed

__all__ = ["conditions_of", "with_generation"]

_NOT_STARTED, _ACTIVE, _NOTHING_MADE = "NotStarted", "RunActive", "NothingMade"
_LEFT_BEHIND = "LeftBehind"


class _Verdict(NamedTuple):
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def conditions_of(observed: Observed, status: PipelineRunStatus, proof: str = "") -> list[Condition]:
    """Return all conditions; one that says the same as before keeps the time of its last transition.

    Args:
        observed: what is seen.
        status: as this plan leaves it, but for the conditions.
        proof: how it is known that nothing is left, of a run that has ended.
    """
    verdicts = {
        ConditionType.PREFLIGHT_PASSED: _preflight_passed(status),
        ConditionType.CLUSTER_READY: _cluster_ready(observed, status),
        ConditionType.COMPUTE_RELEASED: _compute_released(status),
        ConditionType.RECORD_SEALED: _record_sealed(status),
        ConditionType.NOTHING_LEFT_BEHIND: _nothing_left_behind(status, proof),
        ConditionType.SUCCEEDED: _succeeded(status),
        ConditionType.FINISHED: _finished(status),
    }
    before = {each.type: each for each in observed.run.status.conditions}
    return [
        _condition(kind, verdict, before.get(kind), observed.now, status.observed_generation)
        for kind, verdict in verdicts.items()
    ]


def with_generation(conditions: list[Condition], generation: int) -> list[Condition]:
    """Return conditions that hold for a newer generation too: `kubectl wait` takes no older ones."""
    return [each.model_copy(update={"observed_generation": generation}) for each in conditions]


def _condition(
    kind: ConditionType, verdict: _Verdict, before: Condition | None, now: datetime, generation: int
) -> Condition:
    same = before is not None and before.status == verdict.status
    return Condition(
        type=kind,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=before.last_transition_time if before and same else times.second(now),
        observed_generation=generation,
    )


def _is_pending(status: PipelineRunStatus) -> bool:
    return status.phase in ("", Phase.PENDING)


def _is_over(status: PipelineRunStatus) -> bool:
    return isinstance(status.phase, Phase) and status.phase.terminal


def _never_started(status: PipelineRunStatus) -> bool:
    return _is_over(status) and not status.start_time


def _preflight_passed(status: PipelineRunStatus) -> _Verdict:
    if status.reason in (Reason.INVALID_SPEC, Reason.KUBERAY_MISSING):
        return _Verdict("False", status.reason, status.message)
    if _is_pending(status) or _never_started(status):
        return _Verdict("Unknown", status.reason or Reason.PREFLIGHT)
    return _Verdict("True", "Passed")


def _cluster_ready(observed: Observed, status: PipelineRunStatus) -> _Verdict:
    if _is_pending(status):
        return _Verdict("False", _NOT_STARTED)
    if _never_started(status):
        return _Verdict("False", _NOTHING_MADE)
    if status.phase not in (Phase.PROVISIONING, Phase.RUNNING):
        return _Verdict("False", "Released")
    why = waiting_message(observed)
    if why:
        wrong = status.reason == Reason.POD_WAITING
        return _Verdict("False", Reason.POD_WAITING if wrong else Reason.STARTING_PODS, why)
    return (
        _Verdict("True", "PodsReady") if cluster_ready(observed) else _Verdict("False", Reason.STARTING_PODS)
    )


def _compute_released(status: PipelineRunStatus) -> _Verdict:
    if _is_pending(status):
        return _Verdict("False", _NOT_STARTED)
    if _never_started(status):
        return _Verdict("True", _NOTHING_MADE)
    if status.phase in (Phase.PROVISIONING, Phase.RUNNING):
        return _Verdict("False", _ACTIVE)
    if status.phase is Phase.RELEASING:
        return _Verdict("False", Reason.RELEASING_COMPUTE, _still_there(status))
    if status.leftovers and times.is_open(status.timeline.get(RELEASE_FORCED, "")):
        return _Verdict("False", _LEFT_BEHIND, _still_there(status))
    return _Verdict("True", "Released")


def _still_there(status: PipelineRunStatus) -> str:
    return f"still there: {', '.join(status.leftovers)}" if status.leftovers else ""


def _record_sealed(status: PipelineRunStatus) -> _Verdict:
    if _is_pending(status):
        return _Verdict("False", _NOT_STARTED)
    if status.record is None:
        return _Verdict("False", "NothingRan", "nothing was made for this run, so it has no record")
    if status.record.state == "Sealed":
        return _Verdict("True", "Sealed")
    if status.record.state == "Unsealed":
        first = status.reason == Reason.UNWRITABLE
        return _Verdict("False", Reason.UNWRITABLE if first else Reason.SEAL_FAILED, status.message)
    return _Verdict("False", Reason.SEALING_RECORD if status.phase is Phase.SEALING else _ACTIVE)


def _nothing_left_behind(status: PipelineRunStatus, proof: str) -> _Verdict:
    if not _is_over(status):
        return _Verdict("False", _NOT_STARTED if _is_pending(status) else _ACTIVE)
    if status.leftovers:
        return _Verdict("False", _LEFT_BEHIND, _still_there(status))
    return _Verdict("True", _NOTHING_MADE) if _never_started(status) else _Verdict("True", "Swept", proof)


def _succeeded(status: PipelineRunStatus) -> _Verdict:
    if not _is_over(status):
        return _Verdict("Unknown", _NOT_STARTED if _is_pending(status) else _ACTIVE)
    return _Verdict("True" if status.phase is Phase.SUCCEEDED else "False", status.reason)


def _finished(status: PipelineRunStatus) -> _Verdict:
    if not _is_over(status):
        return _Verdict("False", _NOT_STARTED if _is_pending(status) else _ACTIVE)
    return _Verdict("True", status.reason)
