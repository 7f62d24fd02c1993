"""What the operator keeps of an object that it watches: little, whatever the object's size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.observation.fields import Raw, controller_of, metadata_of
from vaportrail_operator.observation.objects import observed_object
from vaportrail_operator.observation.pods import component_of, observed_pod
from vaportrail_operator.observation.runs import ObservedRun, observed_run
from vaportrail_operator.planning.types import (
    RUN_LABEL,
    RUN_UID_LABEL,
    Component,
    ObservedObject,
    ObservedPod,
)

__all__ = ["Entry", "ObjectKey", "Watched", "entry_of", "run_key"]


class Watched(StrEnum):
    """The kinds that are watched."""

    RUN = "PipelineRun"
    POD = "Pod"
    SERVICE = "Service"
    RAY_CLUSTER = "RayCluster"


@dataclass(frozen=True, slots=True)
class ObjectKey:
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

    object_key: ObjectKey
    uid: str
    version: str
    run_uid: str
    run_name: str
    seen: ObservedRun | ObservedPod | ObservedObject


def entry_of(kind: Watched, raw: Raw) -> Entry | None:
    """Return what is kept of an object; None for a pod that is nothing to a run.

    A pod that says it is a run's runner or collector, and is not controlled by that run, is a
    stranger's: whoever may make pods can set labels.
    """
    metadata = metadata_of(raw)
    labels = metadata.get("labels") or {}
    object_key = ObjectKey(kind, metadata.get("namespace", ""), metadata.get("name", ""))
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    if kind is Watched.RUN:
        return Entry(object_key, uid, version, uid, object_key.name, observed_run(raw))
    run_uid, run_name = labels.get(RUN_UID_LABEL, ""), labels.get(RUN_LABEL, "")
    if kind is not Watched.POD:
        return Entry(object_key, uid, version, run_uid, run_name, observed_object(raw))
    component = component_of(raw)
    ours = component not in (Component.RUNNER, Component.COLLECTOR) or controller_of(raw) == run_uid
    if component is None or not ours:
        return None
    return Entry(object_key, uid, version, run_uid, run_name, observed_pod(raw, component))


def run_key(run: PipelineRun) -> ObjectKey:
    """Return what a run is found by."""
    return ObjectKey(Watched.RUN, run.metadata.namespace, run.metadata.name)
