"""The manifest, `manifest.json`: the head of a record, and the hash that all its other files hang from.

It stays small whatever the run's size, and it is what lists of runs show. Times are RFC 3339 in UTC with
nanoseconds; unknown times are empty.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, FiniteFloat, PrivateAttr

from vaportrail.contract.otlp_signals import COUNTED, Signal
from vaportrail.contract.outcome import Failure
from vaportrail.contract.run_identity import FORMAT_VERSION
from vaportrail.record.known_outcomes import OutcomeText
from vaportrail.record.model import RecordModel, Time
from vaportrail.record.rows import ROWS, FileInfo, MetricInfo
from vaportrail.storage.layout import MANIFEST

__all__ = [
    "Counts",
    "Manifest",
    "OlderRecord",
    "ReceiptEntry",
    "RunInfo",
    "SignalCount",
    "StoredFiles",
    "TimelineEntry",
    "VerdictInfo",
    "count_of",
    "hash_line",
    "manifest_schema",
]

LAYOUT: Final = "lines"
"""The layout that this version writes."""


class RunInfo(RecordModel):
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


class VerdictInfo(RecordModel):
    """How the run ended."""

    outcome: OutcomeText
    message: str
    started: Time
    ended: Time
    duration_seconds: FiniteFloat
    tasks: dict[str, int]
    """How many tasks ended how."""
    failure: Failure | None
    """What the pipeline's body raised, or why Ray could not run."""


class SignalCount(RecordModel):
    """Records of one signal."""

    made: int
    """Counted by the processes that made them."""
    recorded: int
    """Counted in the record."""
    lost: int


def count_of(counts: Counts, signal: Signal) -> SignalCount:
    """Return the counts of one signal's records."""
    found: SignalCount = getattr(counts, signal.many)
    return found


class Counts(RecordModel):
    """What was made, and what of it is here."""

    logs: SignalCount
    spans: SignalCount
    loss: Literal["None", "Counted", "Unknown"]
    """`Unknown`: more than was counted may be missing; `loss_reasons` says why."""
    loss_reasons: list[str] = Field(default_factory=list)
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

    @property
    def lost(self) -> int:
        """How many records are known to be lost, of all signals."""
        return sum(count_of(self, signal).lost for signal in COUNTED)


class TimelineEntry(RecordModel):
    """A moment of the run itself, or a stretch of its infrastructure."""

    name: str
    time: Time
    """Of a stretch, when it began."""
    end: Time = ""
    """Of a stretch, when it ended."""


class ReceiptEntry(RecordModel):
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


class StoredFiles(RecordModel):
    """The files behind the artifacts; each is named in the record's `files-*.jsonl.gz`."""

    count: int
    size: int
    """Bytes of all of them."""
    damaged: int
    """Artifacts that were gone, or not what their names say, at the seal: no files of the record."""


@dataclass(frozen=True, slots=True)
class OlderRecord:
    """What an older manifest held and is in lines of their own today."""

    rows: list[bytes]
    files: list[FileInfo]
    damaged: list[str]


class Manifest(RecordModel):
    """The head of a record: all there is to know of the run as a whole, whatever its size.

    What there is one of for each task is in `tasks-*.jsonl.gz`. All but `files` and `stored` follows from
    the record's OTLP files.
    """

    schema_version: str = Field(default=FORMAT_VERSION, alias="schema")
    """Version of the record's format, `MAJOR.MINOR`."""
    layout: Literal["lines"] = LAYOUT
    """How the record is laid out: tasks and files in lines of their own."""
    run: RunInfo
    verdict: VerdictInfo
    counts: Counts
    totals: dict[str, int]
    """How many tasks, attempts, params, tags, metrics and artifacts there are in all."""
    metrics: list[MetricInfo]
    """The pipeline's own metrics, then the ones last logged; at most 300."""
    timeline: list[TimelineEntry]
    receipt: list[ReceiptEntry]
    """What was made for the run and removed; empty for an embedded local Ray."""
    environment: dict[str, Any]
    left_out: dict[str, int] = Field(default_factory=dict)
    """What there is more than here, by section: entries, of a text characters. Rows and lines have it all."""
    sealed: Time
    """When the seal was planned."""
    source: dict[str, Any] | None = None
    """What code ran."""
    lock: dict[str, Any] | None = None
    """What the environment was locked to."""
    resources: dict[str, Any] | None = None
    """What was used, in short; the series are in the `metrics` files."""
    results: list[dict[str, Any]] = Field(default_factory=list)
    """Results of tasks that are kept."""
    derived_from: list[dict[str, Any]] = Field(default_factory=list)
    """Records that this run took something from."""
    retries: list[dict[str, Any]] = Field(default_factory=list)
    """Attempts of the whole run before this one."""
    checks: list[dict[str, Any]] = Field(default_factory=list)
    """What was checked of the run, and what came of it."""
    stored: StoredFiles = StoredFiles(count=0, size=0, damaged=0)
    files: list[FileInfo]
    """The record's own files but this one and `manifest.sha256`; stored files are in `files-*.jsonl.gz`."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    _older: OlderRecord | None = PrivateAttr(default=None)

    @property
    def older(self) -> OlderRecord | None:
        """The rows and files of a record whose manifest holds them, which no version writes any more."""
        return self._older

    def to_bytes(self) -> bytes:
        """Return the manifest as the bytes that are hashed and stored."""
        return (self.model_dump_json(indent=1, exclude=self.unfilled) + "\n").encode()

    @property
    def unfilled(self) -> set[str]:
        """Sections that a run need not have, and this one has not."""
        return {name for name in _OPTIONAL if not getattr(self, name)}


_OPTIONAL: Final = (
    "left_out", "source", "lock", "resources", "results", "derived_from", "retries", "checks",
)  # fmt: skip


def hash_line(manifest: bytes) -> bytes:
    """Return the content of `manifest.sha256`, which `sha256sum -c` understands."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the manifest; its `$defs` hold the lines' as well."""
    schema = Manifest.model_json_schema(mode="serialization")
    schema["required"] = ["schema", "layout", *(name for name in schema["required"] if name not in _OPTIONAL)]
    for kind, model in ROWS.items():
        line = model.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
        schema["$defs"] |= line.pop("$defs", {})
        line["properties"] = {"line": {"const": kind}, **line["properties"]}
        line["required"] = ["line", *line["required"]]
        schema["$defs"][f"line_{kind}"] = line
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$id"] = "https://vaportrail.dev/schemas/manifest-1.json"
    schema["title"] = "Vaportrail record manifest, version 1"
    return schema
