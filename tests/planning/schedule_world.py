"""A schedule's whole world in memory: an API server, a clock, a user, runs, an operator that is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.crd.messages import RUN

from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.crd.status import Phase
from vaportrail.crd.validation.schedule_rules import problems_of_schedule, read_pipelineschedule
from vaportrail_operator.planning.schedules.plan_schedule import plan_schedule, refused_status
from vaportrail_operator.planning.schedules.schedule_types import (
    LEDGER_ANNOTATION,
    SCHEDULE_UID_LABEL,
    ObservedSchedule,
    ScheduledRun,
    SchedulePlan,
)

__all__ = ["BEGIN", "Killed", "ScheduleWorld", "schedule_of"]

BEGIN = datetime(2026, 3, 27, 23, 59, 30, tzinfo=UTC)


class Killed(Exception):
    """The operator is gone."""


def schedule_of(**spec: Any) -> PipelineSchedule:
    """Return a schedule as it is created at `BEGIN`."""
    return read_pipelineschedule(
        {
            "apiVersion": "vaportrail.dev/v1alpha1",
            "kind": "PipelineSchedule",
            "metadata": {
                "name": "nightly",
                "namespace": "team",
                "uid": "0f0f0f0f-1111-2222-3333-444444444444",
                "generation": 1,
                "creationTimestamp": BEGIN.isoformat(),
            },
            "spec": {"schedule": "* * * * *", "template": {"spec": RUN["spec"]}, **spec},
        }
    )


@dataclass
class ScheduleWorld:
    """What is there, and what was done.

    Attributes:
        created: ticks of runs that were created, in that order.
        carried: what they carried.
        late: by how many seconds each was created after its tick.
        most_live: the most runs that were live at once right after a creation.
        ends: how runs ended, in that order.
        refuses: why the API server makes no runs, if it does not.
    """

    schedule: PipelineSchedule
    now: datetime = BEGIN
    runs: dict[str, ScheduledRun] = field(default_factory=dict)
    created: list[int] = field(default_factory=list)
    carried: dict[int, list[list[Any]]] = field(default_factory=dict)
    late: dict[int, float] = field(default_factory=dict)
    most_live: int = 0
    ends: list[str] = field(default_factory=list)
    status_bytes: int = 0
    refuses: str = ""
    statuses: int = 0
    problems: tuple[str, ...] = ()

    def observed(self) -> ObservedSchedule:
        return ObservedSchedule(self.schedule, self.now, tuple(self.runs.values()), self.problems)

    def edit(self, **spec: Any) -> None:
        """Change the spec, as a user does."""
        raw = self.schedule.model_dump(mode="json", by_alias=True, exclude_unset=True)
        raw["spec"] |= spec
        raw["metadata"]["generation"] = self.schedule.metadata.generation + 1
        status = self.schedule.status
        edited = read_pipelineschedule(raw)
        self.problems = tuple(map(str, problems_of_schedule(edited)))
        self.schedule = edited.model_copy(update={"status": status})

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def step(self, *, writes: int | None = None) -> SchedulePlan:
        """Plan and do it; an operator that has so many writes left is killed after them."""
        observed = self.observed()
        plan = plan_schedule(observed)
        left = iter(range(10**9) if writes is None else range(writes))
        for write in self._writes(observed, plan):
            if next(left, None) is None:
                raise Killed
            write()
            if self.refuses and plan.creates:
                break
        return plan

    def settle(self, steps: int = 60) -> SchedulePlan:
        """Step until nothing is left to do now."""
        for _ in range(steps):
            plan = self.step()
            if not (plan.cancels or plan.creates or plan.deletes) or self.refuses:
                return plan
        raise AssertionError("it never comes to rest")

    def end(self, name: str, phase: Phase) -> None:
        """Let a run end."""
        self.runs[name] = replace(self.runs[name], phase=phase, completed_at=self.now)
        self.ends.append(phase)

    def live(self) -> list[str]:
        return [name for name, run in self.runs.items() if not run.finished]

    def ledger(self) -> list[tuple[str, int, int, int]]:
        """Return all decisions: what runs carried, in the order of their ticks, and what none did yet."""
        spans = [tuple(span) for tick in sorted(self.carried) for span in self.carried[tick]]
        rest = self.schedule.status.uncarried
        return [*spans, *((str(each.decision), each.first, each.last, each.count) for each in rest)]  # type: ignore[list-item]

    def _writes(self, observed: ObservedSchedule, plan: SchedulePlan) -> Iterator[Any]:
        for cancel in plan.cancels:
            yield lambda cancel=cancel: self._cancel(cancel.name)
        for create in plan.creates:
            if self.refuses:
                yield lambda create=create: self._put(refused_status(observed, create.tick, self.refuses))
                return
            yield lambda create=create: self._create(create.tick, create.manifest)
        if plan.status != self.schedule.status:
            yield lambda: self._put(plan.status)
        for delete in plan.deletes:
            yield lambda delete=delete: self.runs.pop(delete.name)

    def _put(self, status: PipelineScheduleStatus) -> None:
        text = status.model_dump_json(by_alias=True, exclude_defaults=True)
        self.status_bytes = max(self.status_bytes, len(text.encode()))
        self.statuses += 1
        read = PipelineScheduleStatus.model_validate_json(text)
        assert read == status, "what is written is read again"
        self.schedule = self.schedule.model_copy(update={"status": read})

    def _cancel(self, name: str) -> None:
        self.runs[name] = replace(self.runs[name], cancelled=True)

    def _create(self, tick: int, manifest: Any) -> None:
        metadata = manifest["metadata"]
        name = metadata["name"]
        assert tick not in self.created, f"{name} ran twice"
        self.created.append(tick)
        self.late[tick] = self.now.timestamp() - tick * 60
        text = metadata["annotations"][LEDGER_ANNOTATION]
        self.carried[tick] = json.loads(text)
        self.runs[name] = ScheduledRun(
            name=name,
            uid=f"uid-of-{name}",
            controller=metadata["ownerReferences"][0]["uid"],
            schedule_uid=metadata["labels"][SCHEDULE_UID_LABEL],
            ledger=text,
        )
        live = sum(not self.runs[each].cancelled for each in self.live())
        self.most_live = max(self.most_live, live)
