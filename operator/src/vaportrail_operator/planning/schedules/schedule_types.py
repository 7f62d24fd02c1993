"""The two ends of a schedule's planner: `ObservedSchedule` goes in, `SchedulePlan` comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.crd.status import Phase
from vaportrail_operator.planning.types import KubernetesEvent

__all__ = [
    "BACKFILL_LABEL",
    "LEDGER_ANNOTATION",
    "SCHEDULE_LABEL",
    "SCHEDULE_UID_LABEL",
    "CancelRun",
    "CreateRun",
    "DeleteRunOfTick",
    "ObservedSchedule",
    "SchedulePlan",
    "ScheduledRun",
]

SCHEDULE_LABEL: Final = "vaportrail.dev/schedule"
SCHEDULE_UID_LABEL: Final = "vaportrail.dev/schedule-uid"
"""On each run of a schedule; its value is the schedule's uid."""
BACKFILL_LABEL: Final = "vaportrail.dev/backfill"
"""On runs that a person made up for: no tick of the schedule's own."""
LEDGER_ANNOTATION: Final = "vaportrail.dev/schedule-ledger"
"""What became of ticks up to the run's own: written with the run, before the schedule's status."""


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A PipelineRun that says it is a schedule's, reduced to what is decided by.

    Attributes:
        controller: uid of its controller; empty where it has none.
        schedule_uid: what its label says.
        ledger: what it carries, as it is written there.
        cancelled: whether somebody asked for its end.
    """

    name: str
    uid: str
    controller: str
    schedule_uid: str
    phase: Phase | str = ""
    completed_at: datetime | None = None
    ledger: str = ""
    cancelled: bool = False
    deleting: bool = False
    backfill: bool = False

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return isinstance(self.phase, Phase) and self.phase.terminal


@dataclass(frozen=True, slots=True)
class ObservedSchedule:
    """All that a plan follows from.

    Attributes:
        schedule: as last seen, with its status.
        now: the time, of the operator's clock.
        runs: those that say they are the schedule's.
        problems: what is wrong with its spec, in words.
    """

    schedule: PipelineSchedule
    now: datetime
    runs: tuple[ScheduledRun, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelRun:
    """Set `spec.cancel` of a run that has this uid."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create a tick's run; one that is there under its name and the schedule's is kept."""

    tick: int
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteRunOfTick:
    """Delete a PipelineRun that has this uid; its record stays."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class SchedulePlan:
    """What to do, in this order: cancel, create, write the status, delete.

    What is created carries what the status will say (`LEDGER_ANNOTATION`), so a step that is killed in
    between is gone on with. What is deleted was counted in the status before.

    Attributes:
        requeue_after: seconds until the schedule should be looked at again though nothing happens.
        events: sent once the status is written.
    """

    status: PipelineScheduleStatus
    cancels: tuple[CancelRun, ...] = ()
    creates: tuple[CreateRun, ...] = ()
    deletes: tuple[DeleteRunOfTick, ...] = ()
    requeue_after: float | None = None
    events: tuple[KubernetesEvent, ...] = ()
