"""From a raw Service or RayCluster to what is decided by."""

from __future__ import annotations

from datetime import datetime

from vaportrail_operator.observation.fields import Raw, condition_of, controller_of, metadata_of, time_of
from vaportrail_operator.observation.pods import WAITING_PROBLEMS
from vaportrail_operator.planning.types import ObservedObject

__all__ = ["observed_object"]


def observed_object(raw: Raw) -> ObservedObject:
    """Return an object, reduced."""
    metadata = metadata_of(raw)
    return ObservedObject(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        created_at=time_of(metadata.get("creationTimestamp")) or datetime.fromtimestamp(0).astimezone(),
        deleting=bool(metadata.get("deletionTimestamp")),
        provisioned=condition_of(raw, "RayClusterProvisioned").get("status") == "True",
        problem=_problem(raw),
        controller=controller_of(raw),
    )


def _problem(raw: Raw) -> str:
    failure = condition_of(raw, "ReplicaFailure")
    if failure.get("status") == "True":
        return _as_message(failure)
    head = condition_of(raw, "HeadPodReady")
    if head.get("status") == "False" and head.get("reason") in WAITING_PROBLEMS:
        return _as_message(head)
    status: Raw = raw.get("status") or {}
    if status.get("state") == "failed":
        return str(status.get("reason") or "failed")
    return ""


def _as_message(condition: Raw) -> str:
    return ": ".join(part for part in (condition.get("reason"), condition.get("message")) if part)
