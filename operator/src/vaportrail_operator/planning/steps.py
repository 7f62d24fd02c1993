"""What one look at a run leads to, before timeline, conditions and Events are made of it."""

from __future__ import annotations

from dataclasses import dataclass

from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.planning.types import Action

__all__ = ["PhaseResult", "soonest"]


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """A step of a run.

    Attributes:
        status: all of it but timeline and conditions.
        actions: what to do once that is written.
        again: seconds until another look, beside the run's deadlines; None: not needed.
        proof: how it is known that nothing is left, of a run that ends here.
    """

    status: PipelineRunStatus
    actions: tuple[Action, ...] = ()
    again: float | None = None
    proof: str = ""


def soonest(*seconds: float | None) -> float | None:
    """Return the shortest of some waits, where None is for ever."""
    return min((each for each in seconds if each is not None), default=None)
