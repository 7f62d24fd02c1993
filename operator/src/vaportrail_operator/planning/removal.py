"""How a pod is removed: it is asked to go, and asked once more, without grace, where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from vaportrail_operator.planning import times
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Delete, Observed, ObservedPod

__all__ = ["hurried_removal", "never_began", "overdue", "overdue_since", "removal", "removals"]

_NOTHING_TO_SAY: Final = 1
"""Seconds of grace where nothing began: 0 would take the pod from the API server though its node has it."""
_SILENCE: Final = 30
"""Seconds that a node may be late with saying that a pod has ended."""


def overdue_since(pod: ObservedPod) -> datetime | None:
    """Return when it is certain that a pod which is being deleted will not go; None if it is not deleted.

    Its node does not answer; or the API server was left between the two steps of a deletion, as by an
    operator that was killed while it asked for it, and nobody takes the second. Either way it keeps the
    pod, and its name, for ever.
    """
    return times.later(pod.due, _SILENCE) if pod.deleting and pod.due is not None else None


def overdue(observed: Observed, pod: ObservedPod) -> bool:
    """Return whether a pod that is being deleted should have gone by now."""
    since = overdue_since(pod)
    return since is not None and observed.now >= since


def removal(
    observed: Observed, pod: ObservedPod, *, grace_seconds: int | None = None, forced: bool = False
) -> Iterator[Delete]:
    """Yield a pod's removal; one that is ending anyway is left to it until it is overdue.

    Args:
        observed: what is seen.
        pod: to remove.
        grace_seconds: that it may take; None: its own.
        forced: whether its time is over, whatever it does.
    """
    if forced or overdue(observed, pod):
        yield Delete(Kind.POD, pod.name, pod.uid, grace_seconds=0)
    elif not pod.deleting:
        if grace_seconds is None and never_began(pod):
            grace_seconds = _NOTHING_TO_SAY
        yield Delete(Kind.POD, pod.name, pod.uid, grace_seconds=grace_seconds)


def hurried_removal(observed: Observed, pod: ObservedPod) -> Iterator[Delete]:
    """Yield the removal of a pod that has nothing to end in an orderly way, also where it has more time."""
    rest = (pod.due - observed.now).total_seconds() if pod.due is not None else 0
    if not pod.deleting or rest > _NOTHING_TO_SAY:
        yield Delete(Kind.POD, pod.name, pod.uid, grace_seconds=_NOTHING_TO_SAY)


def never_began(pod: ObservedPod) -> bool:
    """Return whether a pod's main container has never started: it has nothing to end in an orderly way."""
    return pod.started_at is None and pod.terminated is None and pod.phase == "Pending"


def removals(observed: Observed, pods: Iterable[ObservedPod]) -> Iterator[Delete]:
    """Yield the removal of some pods."""
    for pod in pods:
        yield from removal(observed, pod)
