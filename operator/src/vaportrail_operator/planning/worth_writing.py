"""Which changes of a status are written by themselves, and which with the next: a write is a request.

A change waits where nothing is decided by it that would be decided otherwise without it, should the
operator be replaced meanwhile: it is seen again then, of what is still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaportrail.crd.status import ConditionType, Phase, PipelineRunStatus
from vaportrail_operator.planning import times
from vaportrail_operator.planning.timeline_names import FIRST_WORKER_READY, NO_WORKER
from vaportrail_operator.planning.types import Action, Sweep

__all__ = ["worth_writing"]


def worth_writing(
    before: PipelineRunStatus, after: PipelineRunStatus, actions: Sequence[Action]
) -> PipelineRunStatus:
    """Return the new status, or the old one where what is new in it can wait."""
    waits: dict[str, Any] = {}
    match after.phase:
        case Phase.PROVISIONING if _no_worker(before) == _no_worker(after):
            waits = {
                **_what_pods_say(before, after),
                "conditions": _but_readiness(before, after),
                "image_digest": before.image_digest,
            }
        case Phase.RUNNING if _no_worker(before) == _no_worker(after):
            # That the first was ready has to be known when it is lost.
            if (FIRST_WORKER_READY in after.timeline) == (FIRST_WORKER_READY in before.timeline):
                waits = _what_pods_say(before, after)
        case Phase.RELEASING | Phase.SEALING if tuple(actions) == (Sweep(),):
            # When the last went is written with what a look for it finds.
            waits = {"timeline": before.timeline, "receipt": before.receipt}
        case Phase.RELEASING if _only_ends(before, after):
            # When one of them went is written with the stretch that ends with it.
            waits = {"receipt": before.receipt}
        case _:
            pass
    return before if waits and after.model_copy(update=waits) == before else after


def _no_worker(status: PipelineRunStatus) -> bool:
    return times.is_open(status.timeline.get(NO_WORKER, ""))


def _what_pods_say(before: PipelineRunStatus, after: PipelineRunStatus) -> dict[str, Any]:
    """Return the fields without how far pods are: hundreds of workers get ready one by one."""
    known = {each.object: each.count for each in before.receipt}
    receipt = [
        each.model_copy(update={"count": known.get(each.object, each.count)})
        for each in after.receipt
        # What KubeRay makes of one kind has no uid that anything would be known by.
        if each.uid or each.object in known or not times.is_open(each.lifetime)
    ]
    return {"timeline": before.timeline, "receipt": receipt}


def _but_readiness(before: PipelineRunStatus, after: PipelineRunStatus) -> list[Any]:
    """Return the conditions, of which the cluster's readiness is told with what it leads to."""
    known = {each.type: each for each in before.conditions}
    ready = ConditionType.CLUSTER_READY
    return [known.get(each.type, each) if each.type is ready else each for each in after.conditions]


def _only_ends(before: PipelineRunStatus, after: PipelineRunStatus) -> bool:
    """Return whether a receipt says the same but for what is gone."""
    ends = {each.object: each.lifetime for each in after.receipt}
    same = [
        each.model_copy(update={"lifetime": ends.get(each.object, each.lifetime)}) for each in before.receipt
    ]
    return same == after.receipt
