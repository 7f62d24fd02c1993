"""What is in a namespace: every object of every kind that can be listed."""

from __future__ import annotations

from e2e.cluster.kubectl import Kubectl

__all__ = ["inventory"]

_PASSING = {"events", "events.events.k8s.io"}
"""The cluster's own diary: it is kept for an hour, whatever it tells of."""


def inventory(kubectl: Kubectl) -> set[str]:
    """Return the names of all objects in kubectl's namespace, as `kind.group/name`, but Events."""
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    listed = kubectl("get", ",".join(sorted(set(kinds) - _PASSING)), "--output=name", "--ignore-not-found")
    return set(listed.split())
