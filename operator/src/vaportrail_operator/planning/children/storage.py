"""How the pods of a run reach its record root: an object store by environment, or a mounted claim."""

from __future__ import annotations

from typing import Any, Final

from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pod import SecretReference
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail_operator.planning.children.pod_template import variable

__all__ = ["claim_mounts", "claim_volumes", "store_env", "store_env_from", "writer_env_from"]

_CLAIM: Final = f"{OWN_VOLUMES}records"


def store_env(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the settings of the store, as its clients read them."""
    record = run.spec.record
    given = {"AWS_ENDPOINT_URL": record.endpoint, "AWS_REGION": record.region}
    return [variable(name, value) for name, value in given.items() if value]


def store_env_from(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the Secret with the store's credentials for collector and sealer, each key a variable."""
    return _env_from(run.spec.record.secret_ref)


def writer_env_from(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the same for pods that run the user's code, which may have a key of their own."""
    return _env_from(run.spec.record.writer_secret_ref or run.spec.record.secret_ref)


def _env_from(secret: SecretReference | None) -> list[dict[str, Any]]:
    return [{"secretRef": {"name": secret.name}}] if secret else []


def claim_volumes(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the volume of the claim that holds the record root, if one does."""
    claim = run.spec.record.persistent_volume_claim
    return [{"name": _CLAIM, "persistentVolumeClaim": {"claimName": claim.claim_name}}] if claim else []


def claim_mounts(run: PipelineRun) -> list[dict[str, Any]]:
    """Return where that volume is mounted."""
    claim = run.spec.record.persistent_volume_claim
    return [{"name": _CLAIM, "mountPath": claim.mount_path}] if claim else []
