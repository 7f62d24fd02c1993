"""Where the API server serves each kind that the operator reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vaportrail.crd.fields import GROUP, VERSION
from vaportrail_operator.planning.types import Kind

__all__ = [
    "EVENTS",
    "LEASES",
    "PODS",
    "RAY_CLUSTERS",
    "RESOURCE_OF",
    "RUNS",
    "SECRETS",
    "SERVICES",
    "Resource",
]


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced kind of the Kubernetes API."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects say it, such as `v1` or `ray.io/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the path of a collection (of all namespaces where none is given), or of an object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        rest = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{place}/{self.plural}{rest}"


RUNS: Final = Resource(GROUP, VERSION, "pipelineruns", "PipelineRun")
PODS: Final = Resource("", "v1", "pods", "Pod")
SERVICES: Final = Resource("", "v1", "services", "Service")
SECRETS: Final = Resource("", "v1", "secrets", "Secret")
RAY_CLUSTERS: Final = Resource("ray.io", "v1", "rayclusters", "RayCluster")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")

RESOURCE_OF: Final = {
    Kind.POD: PODS,
    Kind.SERVICE: SERVICES,
    Kind.SECRET: SECRETS,
    Kind.RAY_CLUSTER: RAY_CLUSTERS,
}
