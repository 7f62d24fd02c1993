"""From a raw Service or RayCluster to what is decided by."""

from __future__ import annotations

import re
from datetime import datetime

from vaportrail_operator.observation.fields import Raw, condition_of, controller_of, metadata_of, time_of
from vaportrail_operator.observation.wording import bounded, cause_first, one_line, plain_refusal
from vaportrail_operator.planning.obstacles import UNKNOWN, obstacle_of
from vaportrail_operator.planning.types import ObservedObject

__all__ = ["observed_object"]

_COMING = obstacle_of("ContainerCreating")


def observed_object(raw: Raw) -> ObservedObject:
    """Return an object, reduced."""
    metadata = metadata_of(raw)
    problem, since = _problem(raw)
    return ObservedObject(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        created_at=time_of(metadata.get("creationTimestamp")) or datetime.fromtimestamp(0).astimezone(),
        deleting=bool(metadata.get("deletionTimestamp")),
        provisioned=condition_of(raw, "RayClusterProvisioned").get("status") == "True",
        problem=problem,
        problem_since=since,
        lost_fields=_lost_fields(raw),
        controller=controller_of(raw),
    )


def _problem(raw: Raw) -> tuple[str, datetime | None]:
    failure = condition_of(raw, "ReplicaFailure")
    if failure.get("status") == "True":
        return _failure(bounded(failure.get("reason")), str(failure.get("message") or "")), _since(failure)
    head = condition_of(raw, "HeadPodReady")
    told = f"head pod: {_joined(bounded(head.get('reason')), cause_first(str(head.get('message') or '')))}"
    if head.get("status") == "False" and obstacle_of(told) not in (UNKNOWN, _COMING):
        return told, _since(head)
    status: Raw = raw.get("status") or {}
    if status.get("state") == "failed":
        return f"RayCluster: {one_line(str(status.get('reason') or 'failed'))}", None
    return "", None


def _failure(reason: str, message: str) -> str:
    """Return in words what KubeRay says that it cannot do: it says its reason twice."""
    words = plain_refusal(message, reason)
    made = re.fullmatch(r"FailedCreate(Head|Worker)Pod", reason)
    if made and words:
        return f"{made[1].lower()} pod cannot be made: {words}"
    return f"RayCluster: {_joined(reason, words)}"


def _joined(*parts: str | None) -> str:
    return ": ".join(filter(None, parts))


def _since(condition: Raw) -> datetime | None:
    return time_of(condition.get("lastTransitionTime"))


def _lost_fields(raw: Raw) -> tuple[str, ...]:
    """Return what of a RayCluster of ours an old definition has dropped without a word."""
    spec = raw.get("spec")
    if not spec or "headGroupSpec" not in spec:
        return ()
    options = spec.get("authOptions") or {}
    return tuple(f"spec.authOptions.{name}" for name in ("mode", "secretName") if not options.get(name))
