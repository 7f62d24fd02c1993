"""Where a PipelineRun's record goes, and which keys reach it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from vaportrail.crd.fields import RULES, Model, ObjectName, rule
from vaportrail.crd.pod import SecretReference

__all__ = ["ClaimReference", "RecordSpec"]


class ClaimReference(Model):
    """A PersistentVolumeClaim of the run's namespace, for a record root `file://…`."""

    claim_name: ObjectName
    """The claim's name; every pod of the run but the Ray head mounts it, so its volume must allow that."""
    mount_path: Annotated[str, Field(max_length=256, pattern=r"^/[^:\s]*$")] = "/records"
    """Where the pods have it. The record root lies in there."""


class RecordSpec(Model):
    """Where the record goes."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule(
                    "!self.uri.startsWith('file://') || has(self.persistentVolumeClaim)",
                    "a record root file://… needs a persistentVolumeClaim that holds it",
                    "persistentVolumeClaim",
                )
            ]
        }
    )

    uri: Annotated[
        str,
        Field(
            max_length=1024,
            pattern=r"^(s3://[a-z0-9][-a-z0-9.]{1,61}[a-z0-9](/[^\s?#]*)?|file:///[^\s?#]+)$",
        ),
    ]
    """The record root, at most 512 bytes: `s3://bucket/prefix`, or `file:///path` on a PersistentVolumeClaim.

    The run's record is `<root>/runs/<pipeline>/<time>-<uid>`; `status.record.uri` says it.
    """
    endpoint: Annotated[str, Field(max_length=1024, pattern=r"^(https?://[^\s]+)?$")] = ""
    """Of an S3 server that is not AWS's, such as `https://minio.example.com`."""
    region: Annotated[str, Field(max_length=64, pattern="^[-A-Za-z0-9]*$")] = ""
    """The bucket's region.

    Unless given it is `AWS_REGION`, or else `AWS_DEFAULT_REGION`, of the `secretRef` or of the cloud's
    identity, or else `us-east-1`.
    """
    secret_ref: SecretReference | None = None
    """A Secret whose keys are the provider's environment variables, such as `AWS_ACCESS_KEY_ID`.

    Your code does not find them in its environment: what of `AWS_*` is there is your own. Not needed where
    the pods' ServiceAccount has an identity of the cloud.
    """
    writer_secret_ref: SecretReference | None = None
    """Such a Secret for the pods that run your code: workers and runner. `secretRef` unless given."""
    persistent_volume_claim: ClaimReference | None = None
