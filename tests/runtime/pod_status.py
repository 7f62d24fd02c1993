"""What the status of a pod, or of a RayCluster, says."""

from __future__ import annotations

from typing import Any

from vaportrail_operator.acting.client import Object
from vaportrail_operator.planning.types import COMPONENT_LABEL

__all__ = [
    "blocks",
    "component_of",
    "controller_uid",
    "drained",
    "ended",
    "is_ready",
    "main_state",
    "provisioned",
    "running_state",
    "started",
    "status_of",
]

_ENDED = ("Succeeded", "Failed")


def component_of(raw: Object) -> str:
    """Return what a pod says that it is."""
    # Somebody may have taken the label off; its kubelet goes by what is in it.
    said = str((raw["metadata"].get("labels") or {}).get(COMPONENT_LABEL, ""))
    return said or raw["metadata"]["name"].rpartition("-")[2]


def status_of(raw: Object) -> dict[str, Any]:
    """Return an object's status."""
    return raw.get("status") or {}


def is_ready(raw: Object) -> bool:
    """Return whether a pod is ready."""
    conditions = status_of(raw).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def main_state(raw: Object) -> dict[str, Any]:
    """Return the state of a pod's first container."""
    statuses = status_of(raw).get("containerStatuses") or [{}]
    state: dict[str, Any] = statuses[0].get("state") or {}
    return state


def running_state(raw: Object) -> dict[str, Any]:
    """Return the state of a first container that runs."""
    return {"running": main_state(raw)["running"]}


def started(raw: Object) -> bool:
    """Return whether it has been begun."""
    return bool(main_state(raw).keys() & {"running", "terminated"})


def ended(raw: Object) -> bool:
    """Return whether it has ended."""
    return "terminated" in main_state(raw)


def drained(raw: Object) -> bool:
    """Return whether all containers have ended."""
    return status_of(raw).get("phase") in _ENDED


def controller_uid(raw: Object) -> str:
    """Return the uid of an object's controller."""
    owners = raw["metadata"].get("ownerReferences") or []
    return next((str(each["uid"]) for each in owners if each.get("controller")), "")


def blocks(raw: Object, uid: str) -> bool:
    """Return whether an object keeps its owner from going in the foreground."""
    owners = raw["metadata"].get("ownerReferences") or []
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in owners)


def provisioned(cluster: Object) -> bool:
    """Return whether all pods of a RayCluster were ready once."""
    return bool(status_of(cluster).get("conditions"))
