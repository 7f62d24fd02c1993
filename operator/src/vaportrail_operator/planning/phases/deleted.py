"""A run that is being deleted: what it owns goes with it, and the rest once it has done its work.

Its status stays as it is: nobody reads what becomes of it, and its record is sealed by hand.
"""

from __future__ import annotations

from vaportrail_operator.planning.children.table import Released
from vaportrail_operator.planning.leftovers import object_removals
from vaportrail_operator.planning.pod_state import compute, drained, will_not_restart
from vaportrail_operator.planning.removal import removals
from vaportrail_operator.planning.types import Action, Component, Observed, Plan

__all__ = ["deleted"]


def deleted(observed: Observed) -> Plan:
    """Return the plan for a run that is being deleted."""
    # The sealer may end its work.
    sealers = [pod for pod in observed.pods_of(Component.SEALER) if will_not_restart(pod)]
    actions: list[Action] = [*removals(observed, sealers)]
    shipping = [pod for pod in compute(observed) if pod.component is not Component.COLLECTOR]
    if observed.ray_cluster is None and all(map(drained, shipping)):
        actions += removals(observed, observed.pods_of(Component.COLLECTOR))
        actions += object_removals(observed, Released.AFTER_DRAIN)
    return Plan(observed.run.status, tuple(actions))
