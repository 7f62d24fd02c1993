"""What the objects of a run are called, whose they are, and where its record lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from vaportrail.contract.run_identity import RunIdentity
from vaportrail.crd.fields import API_VERSION
from vaportrail.crd.pipelinerun import Metadata, PipelineRun, PipelineRunSpec, RecordSpec
from vaportrail.crd.scheduled_times import PREVIOUS_TIME_ANNOTATION, SCHEDULED_TIME_ANNOTATION
from vaportrail.storage import layout
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_LABEL, RUN_UID_LABEL, Component

__all__ = [
    "AUTH_TOKEN",
    "OTLP_TOKEN",
    "base_name",
    "collector_name",
    "created_at",
    "head_service_name",
    "identity_of",
    "is_head",
    "labels_of",
    "metadata_of",
    "record_path",
    "record_root",
    "record_uri",
    "run_known_by",
    "runner_name",
    "sealer_name",
    "spool_folder",
    "tokens_name",
]

AUTH_TOKEN: Final = "auth_token"
"""The key of Ray's token in the run's Secret; KubeRay asks for this name."""
OTLP_TOKEN: Final = "otlp_token"
"""The key of the collector's token in the run's Secret."""
_MANAGED_BY = {"app.kubernetes.io/managed-by": "vaportrail"}


def run_known_by(namespace: str, name: str, uid: str) -> PipelineRun:
    """Return a run of which no more is known than what the labels of its objects say."""
    metadata = Metadata.model_construct(name=name, namespace=namespace, uid=uid)
    record = RecordSpec.model_construct(uri="")
    spec = PipelineRunSpec.model_construct(pipeline="", entrypoint="", image="", record=record)
    return PipelineRun.model_construct(metadata=metadata, spec=spec)


def base_name(run: PipelineRun) -> str:
    """Return what the names of all objects of a run start with; the RayCluster has just this name.

    It holds the run's uid, so a second try meets the object of the first, and a run that takes the
    name of a deleted one does not.
    """
    return f"{run.metadata.name}-{run.metadata.uid[:8]}"


def tokens_name(run: PipelineRun) -> str:
    """Return the name of the run's Secret."""
    return f"{base_name(run)}-tokens"


def collector_name(run: PipelineRun) -> str:
    """Return the name of the collector's pod and of its Service."""
    return f"{base_name(run)}-collector"


def runner_name(run: PipelineRun) -> str:
    """Return the name of the runner's pod."""
    return f"{base_name(run)}-runner"


def sealer_name(run: PipelineRun) -> str:
    """Return the name of the sealer's pod."""
    return f"{base_name(run)}-sealer"


def head_service_name(run: PipelineRun) -> str:
    """Return the name that KubeRay gives the Service of the Ray head."""
    return f"{base_name(run)}-head-svc"


def is_head(run: PipelineRun, name: str) -> bool:
    """Return whether a pod's name is one that KubeRay gives the Ray head."""
    return re.fullmatch(rf"{re.escape(base_name(run))}-head(-[a-z0-9]{{5}})?", name) is not None


def labels_of(run: PipelineRun, component: Component | None = None) -> dict[str, str]:
    """Return the labels of an object of the run; a pod's say its component too."""
    labels = {**_MANAGED_BY, RUN_LABEL: run.metadata.name, RUN_UID_LABEL: run.metadata.uid}
    return labels if component is None else {**labels, COMPONENT_LABEL: component.value}


def metadata_of(
    run: PipelineRun,
    name: str,
    component: Component | None = None,
    *,
    owned: bool = True,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the metadata of an object of the run.

    Args:
        run: the run.
        name: of the object.
        component: of a pod.
        owned: whether it goes when the run is deleted.
        labels: further ones; they give way to the run's own.
        annotations: of the object.
    """
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": run.metadata.namespace,
        "labels": {**(labels or {}), **labels_of(run, component)},
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owned:
        owner = {"apiVersion": API_VERSION, "kind": run.kind, "name": run.metadata.name}
        owner_flags = {"uid": run.metadata.uid, "controller": True, "blockOwnerDeletion": True}
        metadata["ownerReferences"] = [{**owner, **owner_flags}]
    return metadata


def created_at(run: PipelineRun) -> datetime:
    """Return when the run was created."""
    created = run.metadata.creation_timestamp or datetime.fromtimestamp(0, UTC)
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def identity_of(run: PipelineRun) -> RunIdentity:
    """Return who the run is, as its record will say."""
    return RunIdentity(
        uid=run.metadata.uid,
        pipeline=run.spec.pipeline,
        name=run.metadata.name,
        created_unix_nano=int(created_at(run).timestamp()) * 10**9,
        parameters=run.spec.parameters,
        tags=run.spec.tags,
        entrypoint=run.spec.entrypoint,
        scheduled_time=run.metadata.annotations.get(SCHEDULED_TIME_ANNOTATION, ""),
        previous_scheduled_time=run.metadata.annotations.get(PREVIOUS_TIME_ANNOTATION, ""),
    )


def record_root(run: PipelineRun) -> str:
    """Return the record root without a `/` at its end."""
    return run.spec.record.uri.rstrip("/")


def record_path(run: PipelineRun) -> str:
    """Return the record's place below its root; it follows from when the run was created, and its uid."""
    identity = identity_of(run)
    folder = layout.directory_name(identity.uid, identity.created_unix_nano)
    return f"{layout.RUNS}/{identity.pipeline}/{folder}"


def record_uri(run: PipelineRun) -> str:
    """Return where the record will be."""
    return f"{record_root(run)}/{record_path(run)}"


def spool_folder(run: PipelineRun) -> str:
    """Return where the collector puts its parts, below the record root."""
    return f"{layout.SPOOL}/{run.metadata.uid}"
