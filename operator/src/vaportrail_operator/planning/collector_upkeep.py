"""What keeps the run's collector up for as long as somebody may ship to it.

It holds nothing that counts, so it is made again where it is gone, and makes way where its pod has
ended for good: the shippers keep what they have until there is another.
"""

from __future__ import annotations

from collections.abc import Iterator

from vaportrail_operator.planning.children.collector import collector_pod, collector_service
from vaportrail_operator.planning.names import collector_name
from vaportrail_operator.planning.pod_state import drained, node_unreachable, will_not_restart
from vaportrail_operator.planning.removal import overdue, removal
from vaportrail_operator.planning.types import (
    Action,
    Component,
    Create,
    Kind,
    Observed,
    SecretState,
)

__all__ = ["ensure_collector", "ensure_collector_for_the_rest"]


def ensure_collector(observed: Observed) -> Iterator[Action]:
    """Yield what makes a collector that is not there, and removes one that cannot collect any more."""
    run = observed.run
    if collector_name(run) not in {service.name for service in observed.services if service.owned}:
        yield Create(Kind.SERVICE, collector_service(run))
    pod = observed.pod(Component.COLLECTOR)
    if pod is None:
        yield Create(Kind.POD, collector_pod(run, observed.settings))
    elif will_not_restart(pod) or overdue(observed, pod):
        yield from removal(observed, pod)


def ensure_collector_for_the_rest(observed: Observed) -> Iterator[Action]:
    """Yield the same during the release: only while a pod has yet to ship what it holds."""
    pods = observed.pods_of(Component.RUNNER, Component.HEAD, Component.WORKER)
    if observed.secret is not SecretState.GONE and any(
        pod.started_at and not drained(pod) and not node_unreachable(observed, pod) for pod in pods
    ):
        yield from ensure_collector(observed)
