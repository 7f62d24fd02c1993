"""The kinds of objects that the operator reads, makes and removes, and where the API server serves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vaportrail.crd.fields import GROUP, VERSION

__all__ = ["ENDPOINTS", "LABELLED", "WATCHED", "Endpoint", "Kind"]


class Kind(StrEnum):
    """The kinds of ours, and of what is made for a run."""

    SCHEDULE = "PipelineSchedule"
    RUN = "PipelineRun"
    POD = "Pod"
    SERVICE = "Service"
    SECRET = "Secret"
    RAY_CLUSTER = "RayCluster"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API server serves a namespaced kind."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects say it, such as `v1` or `ray.io/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def reference(self, name: str, uid: str) -> dict[str, str]:
        """Return an object as its dependents name it."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": name, "uid": uid}

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the path of a collection (of all namespaces where none is given), or of an object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if namespace else ""
        rest = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{place}/{self.plural}{rest}"


ENDPOINTS: Final[Mapping[Kind, Endpoint]] = {
    Kind.SERVICE: Endpoint("", "v1", "services", "Service"),
    Kind.SECRET: Endpoint("", "v1", "secrets", "Secret"),
    Kind.RAY_CLUSTER: Endpoint("ray.io", "v1", "rayclusters", "RayCluster"),
    Kind.POD: Endpoint("", "v1", "pods", "Pod"),
    Kind.RUN: Endpoint(GROUP, VERSION, "pipelineruns", "PipelineRun"),
    Kind.SCHEDULE: Endpoint(GROUP, VERSION, "pipelineschedules", "PipelineSchedule"),
}
WATCHED: Final[tuple[Kind, ...]] = tuple(kind for kind in ENDPOINTS if kind is not Kind.SECRET)
"""What is listed and watched, in this order: what is made for an object is known before it.

A Secret is never read.
"""
LABELLED: Final = frozenset(Kind) - {Kind.RUN, Kind.SCHEDULE}
"""Of these the ones that are made for a run have its label; the others are all ours."""
