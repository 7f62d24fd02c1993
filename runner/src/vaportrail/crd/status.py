"""`PipelineRun.status`: what became of a run; bounded, whatever the run's size."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from vaportrail.crd.fields import LIST_TYPE, MAP_TYPE, Model

__all__ = [
    "Condition",
    "ConditionType",
    "Loss",
    "Phase",
    "PipelineRunStatus",
    "Reason",
    "ReceiptStatus",
    "RecordStatus",
    "StatusModel",
    "printed_bytes",
    "shortened",
]

MESSAGE_LIMIT: Final = 1024
"""Bytes of a message."""
ENTRY_LIMIT: Final = 24
"""Entries of the timeline and of the receipt."""
LEFTOVER_LIMIT: Final = 8
_CUT: Final = "…"
# As Go writes JSON: these as two characters, other ones below the blank, and what HTML has, as six.
_ESCAPED: Final = re.compile('[\\0-\\x1f"\\\\<>&\\u2028\\u2029]')
_LONGER: Final = {**dict.fromkeys('"\\\n\r\t', 1), **dict.fromkeys("\u2028\u2029", 3)}
_LONGEST: Final = 6


def shortened(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Return a text that takes at most `limit` bytes where it is printed: a longer one ends with `…`.

    >>> shortened("a long message", 9), shortened("<<<<", 15)
    ('a long…', '<<…')
    """
    if len(text) * _LONGEST <= limit or (len(text) <= limit and printed_bytes(text) <= limit):
        return text
    room, kept = limit - printed_bytes(_CUT), 0
    for character in text[:limit]:
        room -= printed_bytes(character)
        if room < 0:
            break
        kept += 1
    return f"{text[:kept]}{_CUT}"


def printed_bytes(text: str) -> int:
    """Return how many bytes a text takes within the JSON that `kubectl` prints.

    >>> printed_bytes("abc"), printed_bytes("é"), printed_bytes("<"), printed_bytes('"')
    (3, 2, 6, 2)
    """
    longer = sum(_LONGER.get(found, 5) for found in _ESCAPED.findall(text))
    return len(text.encode(errors="replace")) + longer


def _shortened(text: Any) -> Any:
    return shortened(text) if isinstance(text, str) else text


Message = Annotated[str, BeforeValidator(_shortened), Field(max_length=MESSAGE_LIMIT)]
Time = Annotated[str, Field(max_length=64)]
Word = Annotated[str, Field(max_length=128)]
Count = Annotated[int, Field(ge=0)]


class StatusModel(Model):
    """A part of a status."""

    # What a later operator wrote is passed over by an earlier one.
    model_config = ConfigDict(extra="ignore")


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
    KUBERAY_TOO_OLD = "KubeRayTooOld"
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
    UNWRITABLE = "Unwritable"
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


class Condition(StatusModel):
    """A condition in Kubernetes' form."""

    type: ConditionType
    """What it is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=128)]
    """Why, in one CamelCase word."""
    message: Message = ""
    """Why, in words."""
    last_transition_time: Time
    """Since when it is so, RFC 3339."""
    observed_generation: Count = 0
    """The `metadata.generation` that it was seen for."""


class Loss(StatusModel):
    """What was made and is not in the record."""

    state: Literal["None", "Counted", "Unknown"] = "None"
    """`None`: nothing. `Counted`: so much. `Unknown`: what counted is gone, too."""
    spans: Count = 0
    """How many spans."""
    log_records: Count = 0
    """How many log records."""
    values: Count | None = None
    """Not written any more: logged values are log records, and counted as such."""


class RecordStatus(StatusModel):
    """The record."""

    uri: Annotated[str, Field(max_length=1280)]
    """Where it lies, or will lie once it is sealed."""
    state: Literal["Open", "Sealed", "Unsealed"] = "Open"
    """`Open` while the run lives; `Unsealed`: `vaportrail seal` can finish it."""
    manifest_sha256: Annotated[str, Field(max_length=64)] = ""
    """The hash of its manifest, which holds the hashes of all its files."""
    plan_sha256: Annotated[str, Field(max_length=64)] = ""
    """The hash of the plan that its sealer has fixed; a sealer that comes later carries out no other."""
    loss: Loss | None = None


class ReceiptStatus(StatusModel):
    """Something that was made for the run."""

    object: Annotated[str, Field(max_length=320)]
    """`<Kind>/<name>`; `<Kind> of <cluster>` for KubeRay's own, with their number."""
    uid: Annotated[str, Field(max_length=64)] = ""
    """The object's uid."""
    count: Count = 1
    """How many objects."""
    lifetime: Word
    """`<created>/<removed>`, an ISO 8601 interval; it ends with `..` while the object is there."""


class PipelineRunStatus(StatusModel):
    """What became of a run.

    Times are RFC 3339; the values of `timeline` are ISO 8601 intervals by the name of the stretch.
    """

    observed_generation: Count = 0
    """The `metadata.generation` that the status was last written for."""
    contract_version: Count = 0
    """Of what the operator and the run's pods tell each other."""
    phase: Phase | Literal[""] = ""
    """Where the run is in its life. `Succeeded`, `Failed` and `Cancelled` are its end."""
    reason: Reason | Literal[""] = ""
    """Why it is there, in one word."""
    message: Message = ""
    """Why it is there, in words."""
    outcome: Annotated[str, Field(max_length=32)] = ""
    """What the code did (`SUCCEEDED`, `FAILED`, …), kept also when the record is not sealed."""
    source_revision: Word = ""
    """The commit that was run, where the source is a git repository."""
    image_digest: Annotated[str, Field(max_length=512)] = ""
    """What the node says it ran, also where `spec.image` is a tag."""
    ray_head_uid: Annotated[str, Field(max_length=64)] = ""
    """Of the Ray head's pod that the runner joined: another one knows nothing of the run."""
    start_time: Time = ""
    """When the operator began with the run."""
    user_code_start_time: Time = ""
    """When the pipeline's first line ran."""
    completion_time: Time = ""
    """When the run ended: its record was sealed, or could not be."""
    duration: Time = ""
    """From the creation to the completion, such as `1m32s`."""
    record: RecordStatus | None = None
    timeline: Annotated[
        dict[str, Word], Field(max_length=ENTRY_LIMIT, json_schema_extra={MAP_TYPE: "atomic"})
    ] = {}
    """What the infrastructure did when, such as `HeadReady`."""
    receipt: Annotated[
        list[ReceiptStatus], Field(max_length=ENTRY_LIMIT, json_schema_extra={LIST_TYPE: "atomic"})
    ] = []
    """What was made for the run, and removed again."""
    leftovers: Annotated[
        list[Annotated[str, Field(max_length=320)]],
        Field(max_length=LEFTOVER_LIMIT, json_schema_extra={LIST_TYPE: "atomic"}),
    ] = []
    """What the last sweep found, at most eight."""
    conditions: Annotated[list[Condition], Field(max_length=16, json_schema_extra={LIST_TYPE: "atomic"})] = []
    """For `kubectl wait`: `Finished` and `Succeeded` above all."""
