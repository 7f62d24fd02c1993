"""The kinds that are called by name, and those beside the runs' own objects."""

from __future__ import annotations

from typing import Final

from vaportrail_operator.planning.kinds import ENDPOINTS, Endpoint, Kind

__all__ = ["EVENTS", "LEASES", "PODS", "RAY_CLUSTERS", "RUNS", "SCHEDULES", "SECRETS", "SERVICES"]

RUNS: Final = ENDPOINTS[Kind.RUN]
SCHEDULES: Final = ENDPOINTS[Kind.SCHEDULE]
PODS: Final = ENDPOINTS[Kind.POD]
SERVICES: Final = ENDPOINTS[Kind.SERVICE]
SECRETS: Final = ENDPOINTS[Kind.SECRET]
RAY_CLUSTERS: Final = ENDPOINTS[Kind.RAY_CLUSTER]
EVENTS: Final = Endpoint("events.k8s.io", "v1", "events", "Event")
LEASES: Final = Endpoint("coordination.k8s.io", "v1", "leases", "Lease")
