"""A run that has ended: it stays as it is, until its time to live is over."""

from __future__ import annotations

from vaportrail_operator.planning import deadlines
from vaportrail_operator.planning.conditions import with_generation
from vaportrail_operator.planning.leftovers import late_children
from vaportrail_operator.planning.removal import removals
from vaportrail_operator.planning.types import Action, Component, DeleteRun, Observed, Plan

__all__ = ["ended"]


def ended(observed: Observed) -> Plan:
    """Return the plan for a run that has ended: it stays as it is, until its time to live is over."""
    run = observed.run
    generation = run.metadata.generation
    status = run.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": with_generation(run.status.conditions, generation),
        }
    )
    if deadlines.over(observed, deadlines.of_expiry(run, status)):
        return Plan(status, (DeleteRun(),))
    left: tuple[Action, ...] = (
        *late_children(observed, status),
        *removals(observed, observed.pods_of(Component.SEALER)),
    )
    return Plan(status, left, deadlines.next_deadline(observed, status))
