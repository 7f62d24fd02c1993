"""`Sealing`: the sealer is made, heard, and removed; then the run is over.

What the sealer said is written before its pod goes. A sealer that goes without a word is made again:
sealing twice gives the same record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vaportrail.contract.otlp_signals import COUNTED
from vaportrail.contract.pod_messages import SealReport
from vaportrail.crd.status import Loss, Phase, PipelineRunStatus, Reason, RecordStatus, shortened
from vaportrail_operator.planning import deadlines, times
from vaportrail_operator.planning.children.sealer import seal_request, sealer_pod
from vaportrail_operator.planning.ends import CAUSES, can_store_nothing, outcome_of, verdict
from vaportrail_operator.planning.final_status import final_status
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.leftovers import (
    late_children,
    late_look,
    left_behind,
    secret_left,
    sweep_again,
    with_leftovers,
)
from vaportrail_operator.planning.names import record_uri, sealer_name
from vaportrail_operator.planning.pod_reports import plan_report, seal_report, unread_report
from vaportrail_operator.planning.pod_state import MESSAGE_LENGTH
from vaportrail_operator.planning.reasons import Wait, waits, with_fix
from vaportrail_operator.planning.receipt import entries_for_record as receipt_for_record
from vaportrail_operator.planning.receipt import entry, last_removal
from vaportrail_operator.planning.removal import overdue, removal
from vaportrail_operator.planning.steps import PhaseResult
from vaportrail_operator.planning.timeline import entries_for_record as timeline_for_record
from vaportrail_operator.planning.timeline import timeline_of
from vaportrail_operator.planning.timeline_names import RELEASE_FORCED, SEAL
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Create,
    Observed,
    ObservedPod,
    Sweep,
)

__all__ = ["sealing"]

_BY_HAND = "its parts are kept, and `vaportrail seal` can seal them"
_SAID = "sealer: "
"""Before what keeps the sealer from sealing, after why the run came to its end."""
_WORDS_LENGTH = 112
_EXIT_REFUSED = 2
"""The sealer's, where no other try could go better."""


def sealing(observed: Observed, status: PipelineRunStatus) -> PhaseResult:
    """Return the next step from released compute to the end of the run."""
    sealer = observed.pod(Component.SEALER)
    status = _with_seal_report(observed, _entered(observed, status), sealer)
    given_up = _gave_up_release(status)
    late = deadlines.over(observed, deadlines.of_sealer(observed.run, status))
    # What was given up has been asked to go, without grace, for long enough.
    stuck = {pod.name for pod in observed.pods if pod.deleting and given_up}
    late_removals = late_children(observed, status, forced=late and not given_up)
    removals = tuple(each for each in late_removals if each.kind is not Kind.POD or each.name not in stuck)
    if status.record is None or status.record.state == "Open":
        return PhaseResult(status, (*_sealing(observed, status, sealer), *removals))
    return _clean_up(observed, status, sealer, removals)


def _clean_up(
    observed: Observed, status: PipelineRunStatus, sealer: ObservedPod | None, removals: tuple[Action, ...]
) -> PhaseResult:
    """Return the step that removes the sealer, or ends the run once nothing is left that can be removed."""
    run = observed.run
    given_up = _gave_up_release(status)
    abandoned = deadlines.over(observed, deadlines.of_abandoned_cleanup(run, status))
    compute_is_there = bool(removals) or (bool(left_behind(observed, status)) and not given_up)
    if not abandoned and (sealer is not None or compute_is_there):
        return PhaseResult(status, (*removals, *(_removal(observed, status, sealer) if sealer else ())))
    ended_at, removed = times.end(status.timeline.get(SEAL, "")), last_removal(status.receipt)
    since = max(ended_at, removed or ended_at) if ended_at else None
    look = late_look(observed, since)
    found = (*look.left, *secret_left(observed, status)) if look else ()
    own = f"{Kind.POD}/{sealer_name(run)}"
    if look is None or (found and not abandoned and (own in found or not given_up)):
        return sweep_again(observed, status, since)
    proof = "" if found else _proof(observed, status, times.stamp(look.at))
    phase, reason = verdict(status)
    return PhaseResult(final_status(observed, status, phase, reason, left=found), proof=proof)


def _gave_up_release(status: PipelineRunStatus) -> bool:
    return times.is_open(status.timeline.get(RELEASE_FORCED, ""))


def _entered(observed: Observed, status: PipelineRunStatus) -> PipelineRunStatus:
    reason = status.reason if status.reason in CAUSES else Reason.SEALING_RECORD
    status = status.model_copy(update={"phase": Phase.SEALING, "reason": reason})
    return with_leftovers(status, left_behind(observed, status) if _gave_up_release(status) else ())


def _with_seal_report(
    observed: Observed, status: PipelineRunStatus, sealer: ObservedPod | None
) -> PipelineRunStatus:
    """Return the status with what the sealer said, or with that it will not say anything any more."""
    report = seal_report(sealer)
    if report is not None:
        return _sealed(observed, status, report, sealer)
    record = status.record or RecordStatus(uri=record_uri(observed.run))
    if record.state == "Open" and sealer is None and can_store_nothing(observed, status):
        return status.model_copy(update={"record": record.model_copy(update={"state": "Unsealed"})})
    plan = plan_report(sealer)
    if plan is not None and plan.sha256:
        record = record.model_copy(update={"plan_sha256": plan.sha256[:64]})
    if record.state != "Open":
        return status.model_copy(update={"record": record})
    cause, said = _parts(status.message)
    words = _message(observed, sealer)
    why = _failure(observed, status, sealer)
    if why:
        record = record.model_copy(update={"state": "Unsealed"})
        known = words or said
        told_by_sealer = f": {shortened(known, _WORDS_LENGTH)}" if known else ""
        # Why the run came to its end is not lost with its record.
        first = f"{shortened(cause, _WORDS_LENGTH)}; " if cause and status.reason in CAUSES else ""
        message = shortened(
            f"{first}the record is not sealed: {why}{told_by_sealer}; {_BY_HAND}", MESSAGE_LENGTH
        )
    else:
        message = _joined(cause, words)
    return status.model_copy(update={"record": record, "message": message})


def _joined(cause: str, words: str) -> str:
    if not words:
        return cause
    said = f"{_SAID}{shortened(' '.join(words.split()), _WORDS_LENGTH)}"
    return f"{shortened(cause, MESSAGE_LENGTH)}; {said}" if cause else said


def _parts(message: str) -> tuple[str, str]:
    """Return the parts of such a message: why the run came to its end, and what the sealer waits for."""
    if message.startswith(_SAID):
        return "", message.removeprefix(_SAID)
    cause, _, said = message.rpartition(f"; {_SAID}") if f"; {_SAID}" in message else (message, "", "")
    return cause, said


def _message(observed: Observed, sealer: ObservedPod | None) -> str:
    """Return what keeps the sealer from sealing, as far as anybody says; else ``""``."""
    if sealer is None:
        said = ""
    else:
        before = sealer.prepared.message if sealer.prepared and sealer.prepared.exit_code else ""
        ended = ": ".join(filter(None, (sealer.reason, sealer.message)))
        said = sealer.termination_message or before or ended
    wait = _wait(observed, sealer)
    if said or wait is None:
        return said
    return with_fix(wait.text.removeprefix("sealer pod").lstrip(": "), wait.obstacle, _WORDS_LENGTH)


def _wait(observed: Observed, sealer: ObservedPod | None) -> Wait | None:
    """Return what the sealer's pod waits for, or what stands against its being made."""
    if observed.run.status.phase is not Phase.SEALING:
        return None  # an earlier refusal was of something else
    if sealer is None:
        return next(waits(replace(observed, pods=(), ray_cluster=None)), None)
    return next(waits(replace(observed, pods=(sealer,), ray_cluster=None, refused=None)), None)


def _sealed(
    observed: Observed, status: PipelineRunStatus, report: SealReport, sealer: ObservedPod | None
) -> PipelineRunStatus:
    loss = Loss(
        state=report.loss,
        **{signal.status_field: max(0, report.lost.get(signal.many, 0)) for signal in COUNTED},
    )
    record = RecordStatus(
        uri=record_uri(observed.run),
        state="Sealed",
        manifest_sha256=report.sha256[:64],
        plan_sha256=(report.plan_sha256 or _known_plan(status, sealer))[:64],
        loss=loss,
    )
    message, _ = _parts(status.message)
    if status.reason not in CAUSES or not message:
        message = report.message or _tasks(report.tasks)
    message = _with_late_parts(message, report.late_parts)
    return status.model_copy(update={"record": record, "outcome": report.outcome.value, "message": message})


def _known_plan(status: PipelineRunStatus, sealer: ObservedPod | None) -> str:
    plan = plan_report(sealer)
    return (plan.sha256 if plan else "") or (status.record.plan_sha256 if status.record else "")


def _with_late_parts(message: str, late: int) -> str:
    """Return a message that says, too, how much arrived too late for the record."""
    if late <= 0:
        return shortened(message, MESSAGE_LENGTH)
    files = "1 file" if late == 1 else f"{late} files"
    said = f"{files} arrived after the seal was planned: not in the record, kept below spool/"
    return f"{shortened(message, MESSAGE_LENGTH - len(said) - 2)}; {said}" if message else said


def _tasks(tasks: Mapping[str, int]) -> str:
    """Return in words how many tasks ended how."""
    counts = ", ".join(f"{count} {name}" for name, count in sorted(tasks.items()) if count)
    return f"tasks: {counts}" if counts else ""


def _failure(observed: Observed, status: PipelineRunStatus, sealer: ObservedPod | None) -> str:
    """Return why there will be no sealed record, or ``""`` while there may be one."""
    run = observed.run
    if sealer and sealer.phase == "Succeeded":
        if other := unread_report(sealer, "the sealer's"):
            return other
        return "the sealer ended without an answer that this operator can read"
    ends = (sealer.terminated, sealer.prepared) if sealer else ()
    if any(end.exit_code == _EXIT_REFUSED for end in ends if end):
        return "the sealer refuses it"
    wait = _wait(observed, sealer)
    if wait is not None and wait.ends_at and observed.now >= wait.ends_at:
        return "there can be no sealer"
    late = sealer is not None and sealer.phase == "Failed" and sealer.reason == "DeadlineExceeded"
    if late or deadlines.over(observed, deadlines.of_seal(run, status)):
        return f"it was not done within sealSeconds: {run.spec.deadlines.seal_seconds}"
    return ""


def _sealing(observed: Observed, status: PipelineRunStatus, sealer: ObservedPod | None) -> tuple[Action, ...]:
    if sealer is None:
        run = observed.run.model_copy(update={"status": status})
        timeline = timeline_of(observed, status)
        request = seal_request(
            run,
            observed.settings,
            outcome=outcome_of(status),
            message=_parts(status.message)[0],
            timeline=timeline_for_record(timeline),
            receipt=receipt_for_record(observed, status.receipt, times.begin(timeline.get(SEAL, ""))),
        )
        return (Create(Kind.POD, sealer_pod(run, observed.settings, request)),)
    # Evicted, or its node is gone: another one may end what it began.
    lost = sealer.phase == "Failed" or overdue(observed, sealer)
    if lost:
        return tuple(removal(observed, sealer))
    passed = [each for each in deadlines.of_sealer_looks(observed.run, status) if each <= observed.now]
    return (Sweep(),) if passed and late_look(observed, max(passed)) is None else ()


def _removal(observed: Observed, status: PipelineRunStatus, sealer: ObservedPod) -> tuple[Action, ...]:
    late = deadlines.over(observed, deadlines.of_sealer(observed.run, status))
    # It has answered, and does nothing after that.
    return tuple(removal(observed, sealer, grace_seconds=0, forced=late))


def _proof(observed: Observed, status: PipelineRunStatus, looked: str) -> str:
    made = entry(status.receipt, Kind.POD, sealer_name(observed.run))
    created, _, removed = made.lifetime.partition("/") if made else ("", "", "")
    sealer = f"sealer pod made {created}, removed {removed}; " if made else ""
    return f"{sealer}a live look at {looked} found nothing"
