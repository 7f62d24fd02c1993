"""What is in a namespace: every object of every kind that can be listed."""

from __future__ import annotations

from e2e.cluster.kubectl import Kubectl
from vaportrail_operator.runtime.claims import CLAIM

__all__ = ["inventory"]

_PASSING = {"events", "events.events.k8s.io"}
"""The cluster's own diary: it is kept for an hour, whatever it tells of."""


def inventory(kubectl: Kubectl) -> set[str]:
    """Return the names of all objects in kubectl's namespace, as `kind.group/name`, but Events.

    And but the Lease by which installations of the operator tell who serves the namespace: it is no run's.
    """
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    listed = kubectl("get", ",".join(sorted(set(kinds) - _PASSING)), "--output=name", "--ignore-not-found")
    return set(listed.split()) - {f"lease.coordination.k8s.io/{CLAIM}"}
