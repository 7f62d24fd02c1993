"""What the operator keeps of an object that it watches: little, whatever the object's size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vaportrail_operator.observation.fields import Raw, controller_of, metadata_of
from vaportrail_operator.observation.objects import object_seen
from vaportrail_operator.observation.pods import component_of, pod_seen
from vaportrail_operator.observation.runs import RunSeen, run_seen
from vaportrail_operator.planning.types import (
    RUN_LABEL,
    RUN_UID_LABEL,
    Component,
    ObjectSeen,
    PodSeen,
)

__all__ = ["Entry", "Place", "Watched", "entry_of"]


class Watched(StrEnum):
    """The kinds that are watched."""

    RUN = "PipelineRun"
    POD = "Pod"
    SERVICE = "Service"
    RAY_CLUSTER = "RayCluster"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is: at most one is at a place at a time."""

    kind: Watched
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, reduced.

    Attributes:
        version: its resourceVersion.
        run_uid: of the run that it was made for, by its label; of a run, its own.
        run_name: likewise.
        seen: what is decided by.
    """

    place: Place
    uid: str
    version: str
    run_uid: str
    run_name: str
    seen: RunSeen | PodSeen | ObjectSeen


def entry_of(kind: Watched, raw: Raw) -> Entry | None:
    """Return what is kept of an object; None for a pod that is nothing to a run.

    A pod that says it is a run's runner or collector, and is not controlled by that run, is a
    stranger's: whoever may make pods can set labels.
    """
    metadata = metadata_of(raw)
    labels = metadata.get("labels") or {}
    place = Place(kind, metadata.get("namespace", ""), metadata.get("name", ""))
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    if kind is Watched.RUN:
        return Entry(place, uid, version, uid, place.name, run_seen(raw))
    run_uid, run_name = labels.get(RUN_UID_LABEL, ""), labels.get(RUN_LABEL, "")
    if kind is not Watched.POD:
        return Entry(place, uid, version, run_uid, run_name, object_seen(raw))
    component = component_of(raw)
    ours = component not in (Component.RUNNER, Component.COLLECTOR) or controller_of(raw) == run_uid
    if component is None or not ours:
        return None
    return Entry(place, uid, version, run_uid, run_name, pod_seen(raw, component))
