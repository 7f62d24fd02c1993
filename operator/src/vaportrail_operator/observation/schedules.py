"""From a raw PipelineSchedule to its model, and from a raw PipelineRun to what it is to a schedule."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vaportrail.crd.fields import API_VERSION
from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.status import Phase
from vaportrail.crd.validation.bounds import within_bounds
from vaportrail.crd.validation.schedule_rules import problems_of_schedule, read_pipelineschedule
from vaportrail.errors import UsageError
from vaportrail_operator.observation.fields import KEPT_METADATA, Raw, controller_of, metadata_of, time_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.schedules.schedule_types import (
    BACKFILL_LABEL,
    LEDGER_ANNOTATION,
    SCHEDULE_UID_LABEL,
    ScheduledRun,
)

__all__ = ["KeptSchedule", "ReadSchedule", "kept_schedule", "scheduled_run"]

_LEDGER_LENGTH: Final = 1024
"""Of what a run carries: an operator writes less, and anybody may write more."""


@dataclass(frozen=True, slots=True)
class ReadSchedule:
    """A PipelineSchedule as last seen.

    Attributes:
        schedule: the model; of one with problems, with what could be read.
        problems: what is wrong with its spec, in words.
    """

    schedule: PipelineSchedule
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptSchedule:
    """A PipelineSchedule as it is kept: packed, for there may be a thousand of them.

    Attributes:
        packed: what is used of it; `read` returns it.
        left_out: what of it is beyond the bounds, in words.
    """

    packed: bytes
    left_out: tuple[str, ...] = ()

    def read(self) -> ReadSchedule:
        """Return the schedule.

        Raises:
            UsageError: its status cannot be read, as after a downgrade: it must not be written over.
        """
        if any(each.startswith("status.") for each in self.left_out):
            raise UsageError("; ".join(self.left_out))
        schedule = read_pipelineschedule(json.loads(zlib.decompress(self.packed)))
        problems = (*self.left_out, *map(str, problems_of_schedule(schedule)))
        return ReadSchedule(schedule, tuple(dict.fromkeys(problems)))


def kept_schedule(raw: Raw) -> KeptSchedule:
    """Return a raw object as it is kept; never raises for what is in it."""
    noted = metadata_of(raw)
    parts = {
        "apiVersion": API_VERSION,
        "kind": str(Kind.SCHEDULE),
        "metadata": {name: noted[name] for name in KEPT_METADATA if name in noted},
        "spec": raw.get("spec"),
        "status": raw.get("status") or {},
    }
    bounded, left_out = within_bounds(parts)
    packed = zlib.compress(json.dumps(bounded, separators=(",", ":")).encode(), 1)
    return KeptSchedule(packed, tuple(map(str, left_out)))


def scheduled_run(raw: Raw) -> ScheduledRun | None:
    """Return what a raw run is to the schedule that its label names; None where it names none.

    Whether it is that schedule's, its planner tells.
    """
    metadata = metadata_of(raw)
    labels = _mapping(metadata.get("labels"))
    uid = labels.get(SCHEDULE_UID_LABEL)
    if not isinstance(uid, str) or not uid:
        return None
    spec, status = _mapping(raw.get("spec")), _mapping(raw.get("status"))
    phase = status.get("phase")
    ledger = _mapping(metadata.get("annotations")).get(LEDGER_ANNOTATION, "")
    return ScheduledRun(
        name=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        controller=controller_of(raw),
        schedule_uid=uid,
        phase=Phase(phase) if phase in list(Phase) else "",
        completed_at=time_of(str(status.get("completionTime") or "")),
        ledger=ledger if isinstance(ledger, str) and len(ledger) <= _LEDGER_LENGTH else "",
        cancelled=spec.get("cancel") is True,
        deleting=bool(metadata.get("deletionTimestamp")),
        backfill=BACKFILL_LABEL in labels,
    )


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
