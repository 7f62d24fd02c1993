"""What the operator knows of a run and the run's own processes cannot: its word, as a plan fixes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from vaportrail.contract import Outcome
from vaportrail.errors import UsageError
from vaportrail.handover import ReceiptEntry, SealRequest, TimelineEntry
from vaportrail.record.times import from_rfc3339

__all__ = ["OperatorWord", "Stretch", "Thing", "word_of"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stretch(_Model):
    """A stretch of the run's infrastructure."""

    name: str
    start_unix_nano: int
    end_unix_nano: int


class Thing(_Model):
    """Something that was made for the run, or a group of one kind."""

    object: str
    uid: str
    count: int
    created_unix_nano: int
    removed_unix_nano: int
    """0 while it is still there."""


class OperatorWord(_Model):
    """Said of the run from outside."""

    outcome: Outcome
    """Counts only where the runner itself said nothing."""
    message: str
    timeline: list[Stretch]
    receipt: list[Thing]
    environment: dict[str, str]
    runner_started: bool = True


def word_of(request: SealRequest) -> OperatorWord:
    """Return the operator's word in a request.

    Raises:
        UsageError: a time in it is not RFC 3339 in UTC.
    """
    return OperatorWord(
        outcome=request.outcome,
        message=request.message,
        timeline=[_stretch(entry, f"timeline[{at}]") for at, entry in enumerate(request.timeline)],
        receipt=[_thing(entry, f"receipt[{at}]") for at, entry in enumerate(request.receipt)],
        environment={key: value for key, value in request.environment.items() if value},
        runner_started=request.runner_started,
    )


def _stretch(entry: TimelineEntry, where: str) -> Stretch:
    start, end = _time(entry.start, f"{where}.start"), _time(entry.end, f"{where}.end")
    # The two may be times of two machines.
    return Stretch(name=entry.name, start_unix_nano=start, end_unix_nano=max(start, end))


def _thing(entry: ReceiptEntry, where: str) -> Thing:
    return Thing(
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
