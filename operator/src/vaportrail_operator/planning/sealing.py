"""`Sealing`: the sealer is made, heard, and removed; then the run is over.

What the sealer said is written before its pod goes. A sealer that goes without a word is made again:
sealing twice gives the same record.
"""

from __future__ import annotations

from collections.abc import Mapping

from vaportrail.handover import SealAnswer
from vaportrail.resources.status import Loss, Phase, PipelineRunStatus, Reason, RecordStatus, shortened
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.answers import seal_answer
from vaportrail_operator.planning.children.sealer import seal_request, sealer_pod
from vaportrail_operator.planning.ends import CAUSES, outcome_of, verdict
from vaportrail_operator.planning.looks import MESSAGE_LENGTH, compute, ray_cluster
from vaportrail_operator.planning.names import created_at, record_uri, sealer_name
from vaportrail_operator.planning.receipt import entries_for_record as receipt_for_record
from vaportrail_operator.planning.receipt import entry
from vaportrail_operator.planning.release import confirmation, strays, sweep_again
from vaportrail_operator.planning.steps import Step
from vaportrail_operator.planning.timeline import SEAL, timeline_of
from vaportrail_operator.planning.timeline import entries_for_record as timeline_for_record
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Create,
    Delete,
    Kind,
    Observed,
    PodSeen,
)

__all__ = ["finished", "seal"]

_BY_HAND = "its parts are kept, and `vaportrail seal` can seal them"


def seal(observed: Observed, status: PipelineRunStatus) -> Step:
    """Return the next step from released compute to the end of the run."""
    sealer = observed.pod(Component.SEALER)
    status = _heard(observed, _entered(status), sealer)
    removals = tuple(strays(observed))
    if status.record is None or status.record.state == "Open":
        return Step(status, (*removals, *_sealing(observed, status, sealer)))
    if sealer is not None:
        return Step(status, (*removals, *_removal(observed, status, sealer)))
    if removals or compute(observed) or ray_cluster(observed) or observed.services:
        return Step(status, removals)
    ended_at = times.end(status.timeline.get(SEAL, ""))
    swept = confirmation(observed, status, ended_at) if ended_at else None
    if swept is None:
        return sweep_again(observed, status)
    return Step(
        finished(observed, status, *verdict(status)), proof=_proof(observed, status, times.stamp(swept.at))
    )


def _entered(status: PipelineRunStatus) -> PipelineRunStatus:
    reason = status.reason if status.reason in CAUSES else Reason.SEALING_RECORD
    return status.model_copy(update={"phase": Phase.SEALING, "reason": reason, "leftovers": []})


def _heard(observed: Observed, status: PipelineRunStatus, sealer: PodSeen | None) -> PipelineRunStatus:
    """Return the status with what the sealer said, or with that it will not say anything any more."""
    answer = seal_answer(sealer)
    if answer is not None:
        return _sealed(observed, status, answer)
    record = status.record or RecordStatus(uri=record_uri(observed.run))
    why = _failure(observed, status, sealer)
    if record.state != "Open" or not why:
        return status.model_copy(update={"record": record})
    message = shortened(f"the record is not sealed: {why}; {_BY_HAND}", MESSAGE_LENGTH)
    unsealed = record.model_copy(update={"state": "Unsealed"})
    return status.model_copy(update={"record": unsealed, "message": message})


def _sealed(observed: Observed, status: PipelineRunStatus, answer: SealAnswer) -> PipelineRunStatus:
    loss = Loss(
        state=answer.loss,
        spans=max(0, answer.lost_spans),
        log_records=max(0, answer.lost_logs),
        values=max(0, answer.lost_metrics),
    )
    record = RecordStatus(
        uri=record_uri(observed.run), state="Sealed", manifest_sha256=answer.sha256[:64], loss=loss
    )
    message = status.message
    if status.reason not in CAUSES or not message:
        message = shortened(answer.message or _tasks(answer.tasks), MESSAGE_LENGTH)
    return status.model_copy(update={"record": record, "outcome": answer.outcome.value, "message": message})


def _tasks(tasks: Mapping[str, int]) -> str:
    """Return in words how many tasks ended how."""
    counts = ", ".join(f"{count} {name}" for name, count in sorted(tasks.items()) if count)
    return f"tasks: {counts}" if counts else ""


def _failure(observed: Observed, status: PipelineRunStatus, sealer: PodSeen | None) -> str:
    """Return why there will be no sealed record, or ``""`` while there may be one."""
    if sealer and sealer.phase == "Failed" and sealer.reason == "DeadlineExceeded":
        return f"the sealer ran longer than sealSeconds: {observed.run.spec.deadlines.seal_seconds}"
    if sealer and sealer.phase == "Succeeded":
        return "the sealer ended without an answer that this operator can read"
    if deadlines.over(observed, deadlines.of_seal(observed.run, status)):
        said = _last_words(sealer)
        seconds = observed.run.spec.deadlines.seal_seconds
        return f"sealSeconds: {seconds} are over" + (f"; sealer pod: {said}" if said else "")
    return ""


def _last_words(sealer: PodSeen | None) -> str:
    if sealer is None:
        return ""
    if sealer.waiting:
        return ": ".join(part for part in sealer.waiting if part)
    return sealer.terminated.message if sealer.terminated else ""


def _sealing(observed: Observed, status: PipelineRunStatus, sealer: PodSeen | None) -> tuple[Action, ...]:
    if sealer is None:
        run = observed.run.model_copy(update={"status": status})
        request = seal_request(
            run,
            observed.settings,
            outcome=outcome_of(status),
            message=status.message,
            timeline=timeline_for_record(timeline_of(observed, status)),
            receipt=receipt_for_record(observed, status.receipt),
        )
        return (Create(Kind.POD, sealer_pod(run, observed.settings, request)),)
    # Evicted, or its node is gone: another one may end what it began.
    if sealer.phase == "Failed" and not sealer.deleting:
        return (Delete(Kind.POD, sealer.name, sealer.uid),)
    return ()


def _removal(observed: Observed, status: PipelineRunStatus, sealer: PodSeen) -> tuple[Action, ...]:
    late = deadlines.over(observed, deadlines.of_sealer(observed.run, status))
    if late or not sealer.deleting:
        # It has answered, and does nothing after that.
        return (Delete(Kind.POD, sealer.name, sealer.uid, grace_seconds=0),)
    return ()


def _proof(observed: Observed, status: PipelineRunStatus, looked: str) -> str:
    made = entry(status.receipt, Kind.POD, sealer_name(observed.run))
    created, _, removed = made.lifetime.partition("/") if made else ("", "", "")
    sealer = f"sealer pod made {created}, removed {removed}; " if made else ""
    return f"{sealer}a live look at {looked} found nothing"


def finished(
    observed: Observed, status: PipelineRunStatus, phase: Phase, reason: Reason
) -> PipelineRunStatus:
    """Return the status of a run that ends here and now."""
    return status.model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "leftovers": [],
            "completion_time": times.second(observed.now),
            "duration": times.duration(created_at(observed.run), observed.now),
        }
    )
