"""`PipelineRun.status`: what became of a run; bounded, whatever the run's size."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from vaportrail.resources.fields import Model

__all__ = ["Condition", "ConditionType", "Phase", "PipelineRunStatus", "Reason", "RecordStatus"]


class Phase(StrEnum):
    """Where a run is in its life; each is entered once, in this order."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    RELEASING = "Releasing"
    SEALING = "Sealing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after it."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


class Reason(StrEnum):
    """Why a run is where it is; closed and documented."""

    PREFLIGHT = "Preflight"
    SUSPENDED = "Suspended"
    INVALID_SPEC = "InvalidSpec"
    KUBERAY_MISSING = "KubeRayMissing"
    STARTING_PODS = "StartingPods"
    POD_WAITING = "PodWaiting"
    RUNNING_PIPELINE = "RunningPipeline"
    RELEASING_COMPUTE = "ReleasingCompute"
    SEALING_RECORD = "SealingRecord"
    COMPLETED = "Completed"
    PIPELINE_FAILED = "PipelineFailed"
    RUNNER_LOST = "RunnerLost"
    RAY_CLUSTER_LOST = "RayClusterLost"
    PROVISIONING_FAILED = "ProvisioningFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANCELLED_BY_USER = "CancelledByUser"
    SEAL_FAILED = "SealFailed"


class ConditionType(StrEnum):
    """The conditions of a run."""

    PREFLIGHT_PASSED = "PreflightPassed"
    CLUSTER_READY = "ClusterReady"
    COMPUTE_RELEASED = "ComputeReleased"
    RECORD_SEALED = "RecordSealed"
    NOTHING_LEFT_BEHIND = "NothingLeftBehind"
    SUCCEEDED = "Succeeded"
    FINISHED = "Finished"


class Condition(Model):
    """A condition in Kubernetes' form."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str
    observed_generation: int = 0


class Loss(Model):
    """What was made and is not in the record."""

    state: Literal["None", "Counted", "Unknown"] = "None"
    spans: int = 0
    log_records: int = 0
    values: int = 0


class RecordStatus(Model):
    """The record."""

    uri: str
    state: Literal["Open", "Sealed", "Unsealed"] = "Open"
    manifest_sha256: str = ""
    loss: Loss | None = None


class Receipt(Model):
    """Something that was made for the run."""

    object: str
    """`<Kind>/<name>`; `<Kind> of <cluster>` for KubeRay's own, with their number."""
    uid: str = ""
    count: int = 1
    lifetime: str
    """`<created>/<removed>`, an ISO 8601 interval; it ends with `..` while the object is there."""


class PipelineRunStatus(Model):
    """What became of a run.

    Times are RFC 3339; the values of `timeline` are ISO 8601 intervals by the name of the stretch.
    """

    observed_generation: int = 0
    contract_version: int = 0
    phase: Phase | Literal[""] = ""
    reason: Reason | Literal[""] = ""
    message: str = ""
    outcome: str = ""
    """What the code did (`SUCCEEDED`, `FAILED`, …), kept also when the record is not sealed."""
    source_revision: str = ""
    image_digest: str = ""
    start_time: str = ""
    user_code_start_time: str = ""
    completion_time: str = ""
    duration: str = ""
    """From the creation to the completion, such as `1m32s`."""
    record: RecordStatus | None = None
    timeline: dict[str, str] = {}
    receipt: list[Receipt] = []
    leftovers: list[str] = []
    """What the last sweep found, at most eight."""
    conditions: list[Condition] = []
