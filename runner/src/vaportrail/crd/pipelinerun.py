"""`PipelineRun`: what a user asks for.

The models are the one source of the resource's definition: field names, bounds, defaults, rules and
descriptions of the CustomResourceDefinition are made from them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, JsonValue, PrivateAttr

from vaportrail.crd.fields import (
    API_VERSION,
    DNS_LABEL,
    LIST_KEYS,
    LIST_TYPE,
    RULES,
    Model,
    ObjectName,
    OptionalName,
    PositiveSeconds,
    Seconds,
    immutable,
    rule,
)
from vaportrail.crd.pod import PodSettings, Resources, SecretReference
from vaportrail.crd.quantity import Quantity
from vaportrail.crd.record_spec import ClaimReference, RecordSpec
from vaportrail.crd.scheduled_times import ScheduledTimes
from vaportrail.crd.status import PipelineRunStatus

__all__ = [
    "ArchiveSource",
    "ClaimReference",
    "ConfigMapSource",
    "DeadlinesSpec",
    "GitSource",
    "HeadSpec",
    "Metadata",
    "PipelineRun",
    "PipelineRunSpec",
    "PodSettings",
    "RaySpec",
    "RecordSpec",
    "Resources",
    "RunnerSpec",
    "SealerSpec",
    "SecretReference",
    "SourceSpec",
    "TelemetrySpec",
    "WorkerGroupSpec",
]

RUN_NAME: Final = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""Of a run: a DNS-1035 label, because Services are named after it."""
RUN_NAME_LENGTH: Final = 40
MUTABLE: Final = ("cancel", "suspend", "ttlSecondsAfterFinished")
"""The only fields of `spec` that can be changed."""


class GitSource(Model):
    """A revision of a public git repository."""

    url: Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s]+$")]
    """Where it is cloned from, such as `https://github.com/acme/mnist`."""
    revision: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/+]*$")] = "HEAD"
    """A whole commit (40 hex digits), a tag or a branch; the status and the record have its commit."""
    path: Annotated[str, Field(max_length=1024)] = ""
    """The folder in the repository that is put on Python's path; its root unless given."""


class ConfigMapSource(Model):
    """Files in a ConfigMap of the run's namespace; each key is a file."""

    name: ObjectName
    """The ConfigMap's name."""


class ArchiveSource(Model):
    """A `.tar.gz`, `.tar` or `.zip` in an object store or on a web server, without links in it."""

    uri: Annotated[str, Field(max_length=1024, pattern=r"^(https?|s3|gs|az|abfss?|file)://[^\s]+$")]
    """Where it lies. `vaportrail submit` packs a folder, puts it there and sets this."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", max_length=64)]
    """Its SHA-256 in hexadecimal digits; an archive of other content is refused."""


_GIVEN = ", ".join(f"has(self.{name})" for name in ("git", "configMap", "archive"))


class SourceSpec(Model):
    """Where the code comes from; at most one of the three. With none it is in the image."""

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule(
                    f"[{_GIVEN}].filter(given, given).size() <= 1",
                    "give at most one of git, configMap and archive",
                )
            ]
        }
    )

    git: GitSource | None = None
    config_map: ConfigMapSource | None = None
    archive: ArchiveSource | None = None


class HeadSpec(Model):
    """The Ray head; it runs no tasks."""

    resources: Resources = Resources()
    pod: PodSettings = PodSettings()
    """Beyond `podDefaults`."""


class WorkerGroupSpec(Model):
    """Ray workers of one kind."""

    name: Annotated[str, Field(min_length=1, max_length=32, pattern=DNS_LABEL)]
    """The group's name, unique in the run."""
    replicas: Annotated[int, Field(ge=0, le=10000)] = 1
    """How many pods."""
    resources: Resources = Resources()
    ray_resources: Annotated[dict[str, Annotated[float, Field(ge=0)]], Field(max_length=16)] = {}
    """Ray's own resources that a task can ask for, such as `{"accelerator": 1}`."""
    pod: PodSettings = PodSettings()
    """Beyond `podDefaults`."""


class RaySpec(Model):
    """The ephemeral RayCluster."""

    version: Annotated[str, Field(max_length=32, pattern=r"^([0-9]+\.[0-9]+\.[0-9]+[-+.a-z0-9]*)?$")] = ""
    """Ray's version in the image, such as `2.60.0`; 2.52.0 or later. KubeRay is told; no pod changes."""
    head: HeadSpec = HeadSpec()
    workers: Annotated[
        list[WorkerGroupSpec],
        Field(max_length=16, json_schema_extra={LIST_TYPE: "map", LIST_KEYS: ["name"]}),
    ] = []
    """The pods that tasks run in; at least one."""


class RunnerSpec(Model):
    """The pod that runs the pipeline's body and drives Ray."""

    resources: Resources = Resources()
    pod: PodSettings = PodSettings()
    """Beyond `podDefaults`."""


class CollectorSpec(Model):
    """The pod that takes what the run tells to its record root, of the platform's image.

    It inherits no placement. While it waits for a node, the run goes on and keeps what it tells.
    """

    resources: Resources = Resources()
    """What is not said is as the operator was installed with."""
    pod: PodSettings = PodSettings()


class SealerSpec(Model):
    """The pod that seals the record, of the operator's image; it inherits no placement."""

    service_account_name: OptionalName = ""
    """The ServiceAccount it runs as; the run's own unless given."""
    resources: Resources = Resources()
    pod: PodSettings = PodSettings()


class TelemetrySpec(Model):
    """How what the run tells gets to its record."""

    spool_limit: Quantity = "2Gi"
    """The most that the spool on each pod may hold of what is not in object storage yet.

    The kubelet evicts a pod that has more, and what that pod had not shipped by then is lost: give more
    than a pod tells in the longest outage of the store that a run shall outlive.
    """


class DeadlinesSpec(Model):
    """How long each phase may take, in seconds."""

    provisioning_seconds: Seconds = 1800
    """From the first pod that is made until the pipeline has started and a worker is ready, and again from
    when none is any more; 0: for ever."""
    run_seconds: Seconds = 0
    """How long the pipeline may run; 0: for ever."""
    drain_seconds: PositiveSeconds = 60
    """How long a pod may take to end and to ship what it has."""
    release_seconds: PositiveSeconds = 300
    """How long it may take until all compute is gone; then it is removed without grace.

    At least three times `drainSeconds` + 10: runner, Ray pods and collector end one after another.
    What is still there after as long again is left behind: the run is sealed, and its status names it.
    """
    seal_seconds: PositiveSeconds = 900
    """How long the sealer may take; then the run ends unsealed, with all parts kept."""


def _rules_of_spec() -> list[JsonValue]:
    fixed: list[JsonValue] = [
        immutable("pipeline", required=True),
        immutable("entrypoint", required=True),
        immutable("image", required=True),
        immutable("record", required=True),
        immutable("parameters", open_map=True),
        *map(immutable, ("serviceAccountName", "source", "tags", "ray", "runner", "collector", "sealer")),
        *map(immutable, ("podDefaults", "telemetry", "deadlines")),
    ]
    cancel = rule(
        "self.cancel || !oldSelf.cancel",
        "a cancel cannot be taken back; create another run instead",
        "cancel",
    )
    return [cancel, *fixed]


class PipelineRunSpec(Model):
    """The user's wish. Only `cancel`, `suspend` and `ttlSecondsAfterFinished` can be changed."""

    model_config = ConfigDict(json_schema_extra={RULES: _rules_of_spec()})

    cancel: bool = False
    """Set it to cancel the run; its record is sealed all the same. Cannot be taken back."""
    suspend: bool = False
    """While it is set, a run that is still `Pending` stays so, and nothing is made for it."""
    ttl_seconds_after_finished: Seconds = 604800
    """The PipelineRun is deleted so many seconds after it finished; its record stays."""
    pipeline: Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    """The pipeline's name, a segment of the record's path."""
    entrypoint: Annotated[
        str,
        Field(
            max_length=253,
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
        ),
    ]
    """`module:pipeline`, such as `mnist.pipeline:mnist`."""
    image: Annotated[str, Field(max_length=512, pattern=r"^[A-Za-z0-9][^\s]*$")]
    """Of the Ray head, the workers and the runner; it holds Vaportrail and Ray. Best with a digest."""
    service_account_name: OptionalName = ""
    """The ServiceAccount of all pods; the namespace's `default` unless given."""
    source: SourceSpec = SourceSpec()
    parameters: Annotated[dict[str, Any], Field(max_length=256)] = {}
    """The pipeline's parameters by name, of any JSON type. Never secrets: they are in the record."""
    tags: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=64)] = {}
    """Words to find the run by."""
    record: RecordSpec
    ray: RaySpec = RaySpec()
    runner: RunnerSpec = RunnerSpec()
    collector: CollectorSpec = CollectorSpec()
    sealer: SealerSpec = SealerSpec()
    pod_defaults: PodSettings = PodSettings()
    """For the Ray head, the workers and the runner; the collector and the sealer take none of it."""
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
    annotations: ScheduledTimes = {}


_ENDED = "['Succeeded', 'Failed', 'Cancelled']"


class PipelineRun(Model):
    """One run of a pipeline on Ray, and what became of it. Its record outlives it.

    On a cluster with Tekton, say `pipelineruns.vaportrail.dev`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            RULES: [
                rule(
                    "!has(oldSelf.status) || !has(oldSelf.status.phase) || "
                    f"!(oldSelf.status.phase in {_ENDED}) || "
                    "has(self.status) && has(self.status.phase) && self.status.phase == oldSelf.status.phase",
                    "a run that ended stays as it ended",
                    "status.phase",
                )
            ]
        }
    )

    api_version: Literal["vaportrail.dev/v1alpha1"] = API_VERSION
    kind: Literal["PipelineRun"] = "PipelineRun"
    metadata: Metadata
    spec: PipelineRunSpec
    status: PipelineRunStatus = Field(default_factory=PipelineRunStatus)

    _unreadable: tuple[Any, ...] = PrivateAttr(default=())
    """What was wrong with the resource as it was read; see `validation.read_pipelinerun`."""
