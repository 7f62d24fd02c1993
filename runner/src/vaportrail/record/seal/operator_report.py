"""What the operator knows of a run and the run's own processes cannot: its word, as a plan fixes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import ReceiptEntry, SealRequest, TimelineEntry
from vaportrail.errors import UsageError
from vaportrail.record.times import from_rfc3339

__all__ = ["OperatorReport", "ReportedInterval", "ReportedObject", "operator_report"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedInterval(_Model):
    """A stretch of the run's infrastructure."""

    name: str
    start_unix_nano: int
    end_unix_nano: int


class ReportedObject(_Model):
    """Something that was made for the run, or a group of one kind."""

    object: str
    uid: str
    count: int
    created_unix_nano: int
    removed_unix_nano: int
    """0 while it is still there."""


class OperatorReport(_Model):
    """Said of the run from outside."""

    outcome: Outcome
    """Counts only where the runner itself said nothing."""
    message: str
    timeline: list[ReportedInterval]
    receipt: list[ReportedObject]
    environment: dict[str, str]
    runner_started: bool = True


def operator_report(request: SealRequest) -> OperatorReport:
    """Return the operator's word in a request.

    Raises:
        UsageError: a time in it is not RFC 3339 in UTC.
    """
    return OperatorReport(
        outcome=request.outcome,
        message=request.message,
        timeline=[_interval(entry, f"timeline[{at}]") for at, entry in enumerate(request.timeline)],
        receipt=[_reported_object(entry, f"receipt[{at}]") for at, entry in enumerate(request.receipt)],
        environment={key: value for key, value in request.environment.items() if value},
        runner_started=request.runner_started,
    )


def _interval(entry: TimelineEntry, where: str) -> ReportedInterval:
    start, end = _time(entry.start, f"{where}.start"), _time(entry.end, f"{where}.end")
    # The two may be times of two machines.
    return ReportedInterval(name=entry.name, start_unix_nano=start, end_unix_nano=max(start, end))


def _reported_object(entry: ReceiptEntry, where: str) -> ReportedObject:
    return ReportedObject(
        object=entry.object,
        uid=entry.uid,
        count=entry.count,
        created_unix_nano=_time(entry.created, f"{where}.created"),
        removed_unix_nano=_time(entry.removed, f"{where}.removed") if entry.removed else 0,
    )


def _time(text: str, where: str) -> int:
    try:
        if not text.endswith("Z"):
            raise ValueError(text)
        return from_rfc3339(text)
    except ValueError:
        raise UsageError(
            f"{where}: {text!r} is not a time; give it in UTC, such as 2026-01-31T12:00:00Z"
        ) from None
