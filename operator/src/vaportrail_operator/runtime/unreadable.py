"""The end of a run that this operator cannot read."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import (
    Condition,
    ConditionType,
    Phase,
    PipelineRunStatus,
    Reason,
    RecordStatus,
    shortened,
)
from vaportrail_operator.observation.entries import Entry
from vaportrail_operator.observation.observe import Children
from vaportrail_operator.observation.runs import ObservedRun
from vaportrail_operator.planning.children.table import made_by_operator
from vaportrail_operator.planning.deadlines import of_expiry
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.names import tokens_name
from vaportrail_operator.planning.status_size import fitted
from vaportrail_operator.planning.types import (
    Action,
    Delete,
    DeleteRun,
    ObservedObject,
    ObservedPod,
    Plan,
    SecretState,
)

__all__ = ["plan_of_unreadable"]

_log = logging.getLogger(__name__)
_MESSAGE_LIMIT = 1000
_ENDINGS = ((ConditionType.SUCCEEDED, "False"), (ConditionType.FINISHED, "True"))
_BY_HAND = "the record is not sealed: its parts are kept, and `vaportrail seal` can seal them"


def plan_of_unreadable(seen: ObservedRun, children: Children, *, now: datetime, secret: SecretState) -> Plan:
    """Return how a run with problems ends: with these problems, and without what was made for it.

    A status that cannot be read is another operator's, and is left as it is; so is what a run has that
    by such a status has not ended: it is in other hands, or waits for them.

    Args:
        seen: the run.
        children: what was made for it and is there.
        now: the time.
        secret: what is known of its Secret.
    """
    run = seen.run
    if run.metadata.deletion_timestamp is not None:
        # What was made for it is the run's own, and is collected with it.
        return Plan(status=run.status)
    if not seen.over and not seen.status_read:
        _log.warning("the run is left alone: %s", "; ".join(seen.problems))
        return Plan(status=run.status)
    actions: tuple[Action, ...] = tuple(_deletions(seen.run, children.own))
    if secret is not SecretState.GONE:
        actions = (*actions, Delete(Kind.SECRET, tokens_name(run)))
    status = run.status if seen.over else _final_status(seen, now)
    expiry = of_expiry(run, status)
    if seen.over and expiry and now >= expiry:
        return Plan(status, (*actions, DeleteRun()))
    return Plan(status, actions, requeue_after=(expiry - now).total_seconds() if expiry else None)


def _final_status(seen: ObservedRun, now: datetime) -> PipelineRunStatus:
    run = seen.run
    message = "this operator cannot read the run: " + "; ".join(seen.problems)
    record: RecordStatus | None = run.status.record
    if record is not None and record.state == "Open":
        record = record.model_copy(update={"state": "Unsealed"})
        message = shortened(message, _MESSAGE_LIMIT - len(_BY_HAND) - 2) + f"; {_BY_HAND}"
    message = shortened(message, _MESSAGE_LIMIT)
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    status = run.status.model_copy(
        update={
            "observed_generation": run.metadata.generation,
            "phase": Phase.FAILED,
            "reason": Reason.INVALID_SPEC,
            "message": message,
            "completion_time": time,
            "record": record,
            "conditions": _conditions(seen, message, time),
        }
    )
    return fitted(status)


def _conditions(seen: ObservedRun, message: str, time: str) -> list[Condition]:
    run = seen.run
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


def _deletions(run: PipelineRun, children: Iterable[Entry]) -> Iterable[Delete]:
    for entry in children:
        seen, (kind, name) = entry.seen, (entry.object_key.kind, entry.object_key.name)
        own = isinstance(seen, ObservedPod) or made_by_operator(run, kind, name)
        if own and isinstance(seen, ObservedPod | ObservedObject) and not seen.deleting:
            yield Delete(kind, name, entry.uid)
