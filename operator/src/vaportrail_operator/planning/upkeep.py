"""What is made for a run, and made again, by the rows of what it consists of.

What is kept up holds nothing that counts: it is made again where it is gone, and makes way where its pod
has ended for good: the shippers keep what they have until there is another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vaportrail.crd.status import Phase, PipelineRunStatus
from vaportrail_operator.planning.children.table import CHILDREN, Child, Made
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.pod_state import drained, node_unreachable, ray_cluster, will_not_restart
from vaportrail_operator.planning.receipt import was_seen
from vaportrail_operator.planning.removal import overdue, removal
from vaportrail_operator.planning.types import Action, Component, Observed, SecretState

__all__ = ["keep_up_for_the_rest", "missing"]


def missing(observed: Observed, status: PipelineRunStatus) -> Iterator[Action]:
    """Yield what makes what is not there.

    What holds the run is made once, and never again after it has been seen.
    """
    # When the run was begun is written before anything is made, and in what is made.
    run = observed.run.model_copy(update={"status": status})
    observed = replace(observed, run=run)
    for child in CHILDREN:
        if child.name is None or child.make is None:
            continue
        if child.made is Made.KEPT_UP:
            yield from _keep_up(observed, child)
            continue
        can_be = child.kind is not Kind.RAY_CLUSTER or observed.kuberay
        seen = _is_there(observed, child) or was_seen(status.receipt, child.kind, child.name(run))
        if status.phase is Phase.PROVISIONING and can_be and not seen:
            yield child.make(observed)


def keep_up_for_the_rest(observed: Observed) -> Iterator[Action]:
    """Yield what keeps up what is shipped to during the release: while a pod has yet to ship something."""
    pods = observed.pods_of(Component.RUNNER, Component.HEAD, Component.WORKER)
    if observed.secret is not SecretState.GONE and any(
        pod.started_at and not drained(pod) and not node_unreachable(observed, pod) for pod in pods
    ):
        for child in CHILDREN:
            if child.made is Made.KEPT_UP:
                yield from _keep_up(observed, child)


def _keep_up(observed: Observed, child: Child) -> Iterator[Action]:
    if child.make is not None and not _is_there(observed, child):
        yield child.make(observed)
        return
    pod = observed.pod(child.component) if child.component else None
    if pod is not None and (will_not_restart(pod) or overdue(observed, pod)):
        yield from removal(observed, pod)


def _is_there(observed: Observed, child: Child) -> bool:
    if child.component is not None:
        return observed.pod(child.component) is not None
    if child.kind is Kind.SECRET:
        return observed.secret is SecretState.MADE
    if child.kind is Kind.RAY_CLUSTER:
        return ray_cluster(observed) is not None
    name = child.name(observed.run) if child.name else ""
    return any((kind, each.name) == (child.kind, name) and each.trusted for kind, each in observed.objects())
