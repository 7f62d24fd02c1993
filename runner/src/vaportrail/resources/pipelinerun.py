"""`PipelineRun`: what a user asks for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from vaportrail.resources.fields import API_VERSION, KubernetesObject, Model
from vaportrail.resources.status import PipelineRunStatus

__all__ = ["Metadata", "PipelineRun", "PipelineRunSpec"]


class SecretReference(Model):
    """A Secret of the run's namespace."""

    name: str


class GitSource(Model):
    """A revision of a public git repository."""

    url: str
    revision: str = "HEAD"
    path: str = ""


class ConfigMapSource(Model):
    """Files in a ConfigMap of the run's namespace; each key is a file."""

    name: str


class ArchiveSource(Model):
    """A `.tar.gz`, `.tar` or `.zip`."""

    uri: str
    sha256: str


class SourceSpec(Model):
    """Where the code comes from; at most one. None: it is in the image."""

    git: GitSource | None = None
    config_map: ConfigMapSource | None = None
    archive: ArchiveSource | None = None


class ClaimReference(Model):
    """A PersistentVolumeClaim of the run's namespace, for a record root `file://…`."""

    claim_name: str
    mount_path: str = "/records"


class RecordSpec(Model):
    """Where the record goes."""

    uri: str
    """The record root: `s3://bucket/prefix`, or `file:///path` on a PersistentVolumeClaim."""
    endpoint: str = ""
    """Of an S3 server that is not AWS's."""
    region: str = ""
    secret_ref: SecretReference | None = None
    """A Secret whose keys are the provider's environment variables, such as `AWS_ACCESS_KEY_ID`."""
    persistent_volume_claim: ClaimReference | None = None


class PodSettings(Model):
    """What may be set of pods."""

    env: list[KubernetesObject] = []
    env_from: list[KubernetesObject] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    tolerations: list[KubernetesObject] = []
    affinity: KubernetesObject = {}
    priority_class_name: str = ""
    scheduler_name: str = ""
    runtime_class_name: str = ""
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    image_pull_secrets: list[SecretReference] = []
    volumes: list[KubernetesObject] = []
    volume_mounts: list[KubernetesObject] = []


class Resources(Model):
    """Requests and limits, as in a container."""

    requests: dict[str, str | int] = {}
    limits: dict[str, str | int] = {}


class HeadSpec(Model):
    """The Ray head; it runs no tasks."""

    resources: Resources = Resources()
    pod: PodSettings = PodSettings()


class WorkerGroupSpec(Model):
    """Ray workers of one kind."""

    name: str
    replicas: int = 1
    resources: Resources = Resources()
    ray_resources: dict[str, float] = {}
    """Ray's own resources that a task can ask for, such as `{"accelerator": 1}`."""
    pod: PodSettings = PodSettings()


class RaySpec(Model):
    """The ephemeral RayCluster."""

    version: str = ""
    """Ray's version in the image, such as `2.60.0`: KubeRay writes the probes for it."""
    head: HeadSpec = HeadSpec()
    workers: list[WorkerGroupSpec] = []


class RunnerSpec(Model):
    """The pod that runs the pipeline's body and drives Ray."""

    resources: Resources = Resources()
    pod: PodSettings = PodSettings()


class SealerSpec(Model):
    """The pod that seals the record, of the operator's image; it inherits no placement."""

    service_account_name: str = ""
    resources: Resources = Resources()
    pod: PodSettings = PodSettings()


class TelemetrySpec(Model):
    """How what the run tells gets to its record."""

    spool_limit: str = "2Gi"
    """Of the spool on each pod."""


class DeadlinesSpec(Model):
    """How long each phase may take, in seconds; 0 is for ever."""

    provisioning_seconds: int = 1800
    run_seconds: int = 0
    drain_seconds: int = 60
    """How long a pod may take to end and to ship what it has."""
    release_seconds: int = 300
    seal_seconds: int = 900


class PipelineRunSpec(Model):
    """The user's wish. Only `cancel`, `suspend` and `ttlSecondsAfterFinished` can be changed."""

    cancel: bool = False
    suspend: bool = False
    ttl_seconds_after_finished: int = 604800
    pipeline: str
    """A segment of the record's path."""
    entrypoint: str
    """`module:pipeline`."""
    image: str
    service_account_name: str = ""
    source: SourceSpec = SourceSpec()
    parameters: dict[str, Any] = {}
    tags: dict[str, str] = {}
    record: RecordSpec
    ray: RaySpec = RaySpec()
    runner: RunnerSpec = RunnerSpec()
    sealer: SealerSpec = SealerSpec()
    pod_defaults: PodSettings = PodSettings()
    telemetry: TelemetrySpec = TelemetrySpec()
    deadlines: DeadlinesSpec = DeadlinesSpec()


class Metadata(Model):
    """What is used of Kubernetes' ObjectMeta; the rest is passed over."""

    model_config = ConfigDict(extra="ignore")

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: list[str] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PipelineRun(Model):
    """One run of a pipeline, and what became of it."""

    api_version: Literal["vaportrail.dev/v1alpha1"] = API_VERSION
    kind: Literal["PipelineRun"] = "PipelineRun"
    metadata: Metadata
    spec: PipelineRunSpec
    status: PipelineRunStatus = Field(default_factory=PipelineRunStatus)
