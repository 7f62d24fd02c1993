"""What the operator keeps of an object that it watches: little, whatever the object's size."""

from __future__ import annotations

from dataclasses import dataclass

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.observation.fields import Raw, metadata_of
from vaportrail_operator.observation.objects import observed_object
from vaportrail_operator.observation.pods import component_of, observed_pod
from vaportrail_operator.observation.runs import KeptRun, kept_run
from vaportrail_operator.observation.schedules import KeptSchedule, kept_schedule
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import (
    RUN_LABEL,
    RUN_UID_LABEL,
    Component,
    ObservedObject,
    ObservedPod,
)

__all__ = ["Claim", "Entry", "ObjectKey", "entry_of", "run_key"]


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Where an object is: at most one is at a place at a time."""

    kind: Kind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, reduced.

    Attributes:
        version: its resourceVersion.
        run_uid: of the run that it was made for, by its label; of a run, its own.
        run_name: likewise.
        labelled: whether its label says so, too: of what has none no watch and no list tells.
        seen: what is decided by.
    """

    object_key: ObjectKey
    uid: str
    version: str
    run_uid: str
    run_name: str
    seen: KeptRun | KeptSchedule | ObservedPod | ObservedObject
    labelled: bool = True


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose an object is, where its name says so: its labels may have been taken off."""

    run_uid: str
    run_name: str
    component: Component | None = None


def entry_of(kind: Kind, raw: Raw, claim: Claim | None = None) -> Entry | None:
    """Return what is kept of an object; None for a pod that is nothing to a run.

    Args:
        kind: of the object.
        raw: the object.
        claim: whose it is; None: whose its labels say, which whoever may make pods can set. Whether that
            is so, `standing` tells.
    """
    metadata = metadata_of(raw)
    labels = metadata.get("labels") or {}
    object_key = ObjectKey(kind, metadata.get("namespace", ""), metadata.get("name", ""))
    uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    if kind is Kind.RUN:
        return Entry(object_key, uid, version, uid, object_key.name, kept_run(raw))
    if kind is Kind.SCHEDULE:
        return Entry(object_key, uid, version, "", "", kept_schedule(raw))
    said = labels.get(RUN_UID_LABEL, "")
    labelled = claim is None or said == claim.run_uid
    claim = claim or Claim(said, labels.get(RUN_LABEL, ""), component_of(raw))
    if kind is not Kind.POD:
        other = observed_object(raw)
        return Entry(object_key, uid, version, claim.run_uid, claim.run_name, other, labelled)
    if claim.component is None:
        return None
    pod = observed_pod(raw, claim.component)
    return Entry(object_key, uid, version, claim.run_uid, claim.run_name, pod, labelled)


def run_key(run: PipelineRun) -> ObjectKey:
    """Return what a run is found by."""
    return ObjectKey(Kind.RUN, run.metadata.namespace, run.metadata.name)
