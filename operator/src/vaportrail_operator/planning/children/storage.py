"""How the pods of a run reach its record root: an object store, or a mounted claim.

Where the user's code runs, nothing of the store is in the environment: its keys are files, and one
variable says where. So the variables of the provider's tools are the user's own in there. The
collector, which has no code of the user's, is told by its environment, as its exporters want it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from vaportrail.contract.pod_environment import STORE_FOLDER, STORE_VARIABLE
from vaportrail.contract.store_access import StoreAccess
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pod import SecretReference
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail_operator.planning.children.pod_template import variable
from vaportrail_operator.planning.names import record_root

__all__ = ["NO_STORAGE", "Storage", "collector_storage", "sealer_storage", "writer_storage"]

_CLAIM: Final = f"{OWN_VOLUMES}records"
_KEYS: Final = {"name": f"{OWN_VOLUMES}store", "mountPath": STORE_FOLDER, "readOnly": True}

Entries = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Storage:
    """What a pod and its main container have for the record root.

    Attributes:
        env: variables of the container.
        env_from: Secrets of variables.
        mounts: of the container.
        volumes: of the pod.
    """

    env: Entries
    env_from: Entries
    mounts: Entries
    volumes: Entries


NO_STORAGE: Final = Storage([], [], [], [])
"""What the Ray head has: no task runs there, and Ray itself has nothing to do with records."""


def writer_storage(run: PipelineRun) -> Storage:
    """Return what the pods have that run the user's code: its own key, where the run names one."""
    return _by_files(run, run.spec.record.writer_secret_ref or run.spec.record.secret_ref)


def sealer_storage(run: PipelineRun) -> Storage:
    """Return what the sealer has."""
    return _by_files(run, run.spec.record.secret_ref)


def collector_storage(run: PipelineRun) -> Storage:
    """Return what the collector has: of the Secret each key as a variable."""
    record = run.spec.record
    given = {"AWS_ENDPOINT_URL": record.endpoint, "AWS_REGION": record.region}
    secret = record.secret_ref
    return Storage(
        env=[variable(name, value) for name, value in given.items() if value],
        env_from=[{"secretRef": {"name": secret.name}}] if secret else [],
        mounts=_claim_mounts(run),
        volumes=_claim_volumes(run),
    )


def _by_files(run: PipelineRun, secret: SecretReference | None) -> Storage:
    record = run.spec.record
    access = StoreAccess(
        root=record_root(run),
        endpoint=record.endpoint,
        region=record.region,
        secret=secret.name if secret else "",
        folder=STORE_FOLDER if secret else "",
    )
    keys = {"name": _KEYS["name"], "secret": {"secretName": secret.name}} if secret else None
    return Storage(
        env=[variable(STORE_VARIABLE, access.to_json())] if _is_remote(access.root) else [],
        env_from=[],
        mounts=[*([dict(_KEYS)] if keys else []), *_claim_mounts(run)],
        volumes=[*([keys] if keys else []), *_claim_volumes(run)],
    )


def _is_remote(root: str) -> bool:
    return urlsplit(root).scheme != "file"


def _claim_volumes(run: PipelineRun) -> Entries:
    claim = run.spec.record.persistent_volume_claim
    return [{"name": _CLAIM, "persistentVolumeClaim": {"claimName": claim.claim_name}}] if claim else []


def _claim_mounts(run: PipelineRun) -> Entries:
    claim = run.spec.record.persistent_volume_claim
    return [{"name": _CLAIM, "mountPath": claim.mount_path}] if claim else []
