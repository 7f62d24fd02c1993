"""The end of a run that this operator cannot read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from vaportrail.resources.pipelinerun import PipelineRun
from vaportrail.resources.status import Condition, ConditionType, Phase, Reason
from vaportrail_operator.observation.entries import Entry
from vaportrail_operator.observation.runs import RunSeen
from vaportrail_operator.planning.types import Delete, Kind, ObjectSeen, Plan, PodSeen

__all__ = ["plan_of_unreadable"]

_MESSAGE_LIMIT = 1000
_ENDINGS = ((ConditionType.SUCCEEDED, "False"), (ConditionType.FINISHED, "True"))


def plan_of_unreadable(seen: RunSeen, children: Iterable[Entry], now: datetime) -> Plan:
    """Return how a run with problems ends: with these problems, and without what was made for it."""
    run = seen.run
    actions = tuple(_deletions(children))
    if seen.over:
        return Plan(status=run.status, actions=actions)
    message = "this operator cannot read the run: " + "; ".join(seen.problems)
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    status = run.status.model_copy(
        update={
            "observed_generation": run.metadata.generation,
            "phase": Phase.FAILED,
            "reason": Reason.INVALID_SPEC,
            "message": message[:_MESSAGE_LIMIT],
            "completion_time": time,
            "conditions": _conditions(run, message[:_MESSAGE_LIMIT], time),
        }
    )
    return Plan(status=status, actions=actions)


def _conditions(run: PipelineRun, message: str, time: str) -> list[Condition]:
    kept = [each for each in run.status.conditions if each.type not in dict(_ENDINGS)]
    ended = [
        Condition(
            type=kind,
            status="True" if status == "True" else "False",
            reason=Reason.INVALID_SPEC,
            message=message,
            last_transition_time=time,
            observed_generation=run.metadata.generation,
        )
        for kind, status in _ENDINGS
    ]
    return [*kept, *ended]


def _deletions(children: Iterable[Entry]) -> Iterable[Delete]:
    for entry in children:
        seen = entry.seen
        owned = isinstance(seen, PodSeen) or (isinstance(seen, ObjectSeen) and seen.owned)
        if owned and isinstance(seen, PodSeen | ObjectSeen) and not seen.deleting:
            yield Delete(Kind(entry.place.kind), entry.place.name, entry.uid)
