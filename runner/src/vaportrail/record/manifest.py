"""The manifest, `manifest.json`: what a record says of its run, and the hash of every other file.

Everything in it but the files' hashes can be rebuilt from the record's OTLP files alone. Times are
RFC 3339 in UTC with nanoseconds; unknown times are empty.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, WithJsonSchema
from pydantic_core import from_json

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import FORMAT_VERSION
from vaportrail.errors import RecordError, UnsupportedVersion
from vaportrail.record.times import from_rfc3339
from vaportrail.storage.layout import MANIFEST

__all__ = [
    "ArtifactInfo",
    "AttemptInfo",
    "Counts",
    "Edge",
    "Facts",
    "FileInfo",
    "Manifest",
    "MetricInfo",
    "ReceiptEntry",
    "RunInfo",
    "SignalCount",
    "TaskInfo",
    "TimelineEntry",
    "ValueInfo",
    "VerdictInfo",
    "read_manifest",
]

_MAJOR: Final = 1
_REASON_LENGTH: Final = 500


def _check_time(text: str) -> str:
    if text:
        from_rfc3339(text)
    return text


Time = Annotated[str, AfterValidator(_check_time)]
"""A time as RFC 3339; empty where it is not known."""


class _Model(BaseModel):
    # A reader of this major version ignores what a later minor version adds.
    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_inf_nan="strings", use_attribute_docstrings=True
    )


Number = Annotated[
    float,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
]
"""A number; those that JSON has no form for are text."""


class RunInfo(_Model):
    """Who the run is."""

    uid: str
    """UUID of the run."""
    pipeline: str
    name: str
    created: Time
    """When the run was asked for."""
    entrypoint: str
    parameters: dict[str, Any]
    """Validated parameters; hidden ones read `<hidden>`."""
    tags: dict[str, str]
    trace_id: str
    """The run's trace, 32 hex digits."""
    version: str
    """Version of the distribution that ran it."""


class VerdictInfo(_Model):
    """How the run ended."""

    outcome: Outcome
    message: str
    started: Time
    ended: Time
    duration_seconds: FiniteFloat
    tasks: dict[str, int]
    """How many tasks ended how."""
    failure: Failure | None
    """What the pipeline's body raised, or why Ray could not run."""


class Edge(_Model):
    """One task's need of another."""

    task: str
    """Id of the upstream task."""
    kind: Literal["value", "order"]
    """`value`: its result is an argument. `order`: it only had to succeed first."""
    argument: str
    """The argument that carries the value."""


class TaskInfo(_Model):
    """One task: its call and its end."""

    id: str
    """Unique in the run, such as `train-2`."""
    name: str
    kind: Literal["python", "notebook"]
    outcome: Outcome
    arguments: dict[str, Any]
    options: dict[str, Any]
    upstream: list[Edge]
    attempts: int
    submitted: Time
    ended: Time
    cause: str
    """The upstream task that made it `SKIPPED`."""
    allow_failure: bool
    span_id: str


class AttemptInfo(_Model):
    """One attempt of a task."""

    task: str
    attempt: int
    """From 1."""
    outcome: Outcome
    started: Time
    """When it began to run; empty where it never said so."""
    ended: Time
    failure: Failure | None
    host: str
    pid: int
    node: str
    """Ray's id of the node."""
    writer: str
    """The process's name among the writers of the record."""
    span_id: str


class ValueInfo(_Model):
    """A logged parameter or tag."""

    task: str
    """Empty for what the pipeline's body logged."""
    name: str
    value: Any


class MetricInfo(_Model):
    """A logged metric, in short; every value is in the logs."""

    task: str
    name: str
    count: int
    last: Number
    last_step: int | None
    min: Number
    max: Number


class ArtifactInfo(_Model):
    """A stored file and who logged it."""

    task: str
    attempt: int
    name: str
    kind: str
    path: str
    """Its place within the record."""
    sha256: str
    size: int
    media_type: str


class SignalCount(_Model):
    """Records of one signal."""

    made: int
    """Counted by the processes that made them."""
    recorded: int
    """Counted in the record."""
    lost: int


class Counts(_Model):
    """What was made, and what of it is here."""

    logs: SignalCount
    spans: SignalCount
    loss: Literal["None", "Counted", "Unknown"]
    """`Unknown`: more than was counted may be missing; `loss_reasons` says why."""
    loss_reasons: list[str] = []
    """Why the loss is `Unknown`, one plain sentence a reason; at most 20, then how many more."""
    synthesised_spans: int
    """Spans that the sealer closed for processes that died."""
    recovered_lines: int
    """Output lines that the sealer or a shipper read for processes that died."""
    unreadable_parts: int = 0
    """Files of spools, and shipped parts, that could not be read; the others are here."""
    unreadable_records: int = 0
    """Lines of spools that held no record, and were left out: no writer of ours makes such."""
    known_until: Time = ""
    """With `loss` `Unknown`: until when every count is sure; empty where no such moment is known."""


class TimelineEntry(_Model):
    """A moment of the run itself, or a stretch of its infrastructure."""

    name: str
    time: Time
    """Of a stretch, when it began."""
    end: Time = ""
    """Of a stretch, when it ended."""


class ReceiptEntry(_Model):
    """Something that was made for the run; or a group of one kind."""

    object: str
    """`<Kind>/<name>`; of a group `<Kind> of <owner>`."""
    uid: str
    """Its Kubernetes UID; empty for a group."""
    count: int
    created: Time
    """Of a group, of the first."""
    removed: Time
    """Of a group, of the last. Empty: it was still there at the seal."""


class FileInfo(_Model):
    """A file of the record."""

    path: str
    size: int
    """Bytes."""
    sha256: str


class Facts(_Model):
    """All of the manifest that follows from the record's OTLP files."""

    schema_version: str = Field(default=FORMAT_VERSION, alias="schema")
    """Version of the record's format, `MAJOR.MINOR`."""
    run: RunInfo
    verdict: VerdictInfo
    tasks: list[TaskInfo]
    attempts: list[AttemptInfo]
    params: list[ValueInfo]
    metrics: list[MetricInfo]
    tags: list[ValueInfo]
    artifacts: list[ArtifactInfo]
    counts: Counts
    timeline: list[TimelineEntry]
    receipt: list[ReceiptEntry]
    """What was made for the run and removed; empty for an embedded local Ray."""
    environment: dict[str, Any]
    sealed: Time
    """When the seal was planned."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Manifest(Facts):
    """The whole manifest."""

    files: list[FileInfo]
    """Every other file of the record but `manifest.sha256`."""
    damaged_artifacts: list[str] = []
    """Paths of artifacts that were gone, or not what their names say, at the seal: no files of the record."""

    def to_bytes(self) -> bytes:
        """Return the manifest as the bytes that are hashed and stored."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    @property
    def facts(self) -> Facts:
        """The manifest without what it says of the record's files."""
        return Facts.model_validate(self.model_dump(exclude={"files", "damaged_artifacts"}))


def hash_line(manifest: bytes) -> bytes:
    """Return the content of `manifest.sha256`, which `sha256sum -c` understands."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def read_manifest(raw: bytes, where: str) -> Manifest:
    """Return the manifest in `raw`.

    Raises:
        UnsupportedVersion: it was written by a newer major version.
        RecordError: it is not a manifest.
    """
    try:
        content = from_json(raw)
        major = int(str(content["schema"]).split(".")[0])
    except (ValueError, KeyError, TypeError):
        raise RecordError(f"{where} is not a manifest of a Vaportrail record") from None
    if major > _MAJOR:
        raise UnsupportedVersion(
            f"{where} has format {str(content['schema'])[:40]}, this version reads up to {_MAJOR}.x: "
            "upgrade the package vaportrail"
        )
    try:
        return Manifest.model_validate(content)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise RecordError(f"{where} is not a valid manifest: {reason[:_REASON_LENGTH]}") from None


def manifest_schema() -> dict[str, Any]:
    """Return the manifest's JSON Schema (draft 2020-12)."""
    schema = Manifest.model_json_schema(mode="serialization")
    schema["required"] = (
        ["schema", *schema["required"]] if "schema" not in schema["required"] else schema["required"]
    )
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = "https://vaportrail.dev/schemas/manifest-1.json"
    schema["title"] = "Vaportrail record manifest, version 1"
    return schema
