"""The seal plan: which bytes are sealed, fixed once, so that every sealer makes the same record.

Two sealers that see different listings could each create some of the files and neither a whole
record. So the first to come creates `seal-plan.json`, and whoever comes later carries out that one.
What is written to the spool after the plan is not part of the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer, model_validator

from vaportrail.contract.otlp_signals import IN_LEDGERS, SIGNALS, Kind
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import SealConflict
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.sound import Unsound
from vaportrail.record.spooled import WRITER, sound_header
from vaportrail.record.unpacked import bounded_lines
from vaportrail.storage import layout
from vaportrail.storage.layout import ARTIFACT_FILE, ARTIFACTS, PLAN
from vaportrail.storage.store import Store
from vaportrail.telemetry.output import SUFFIX
from vaportrail.telemetry.spool import Header, read_ledger
from vaportrail.version import __version__

__all__ = [
    "ArtifactEntry",
    "Count",
    "LedgerEntry",
    "SealPlan",
    "SpoolRange",
    "make_plan",
    "plan_spool",
    "read_plan",
    "stored_artifacts",
]

P = TypeVar("P", bound=BaseModel)

RECOVERED: Final = ".recovered"
"""The ending of files that hold what shippers recovered, in a spool's form."""
_OF_A_WRITER: Final = ("spool", "ledger")
_ENDINGS: Final = {*_OF_A_WRITER, RECOVERED.removeprefix("."), *SUFFIX.values()}
_FORMAT: Final = 1
_LEDGER_LIMIT: Final = 2**12
"""Bytes of a ledger: ours have 32, those of a later version some more."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
_Nano = Annotated[int, Field(ge=0, lt=2**64)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SpoolRange(_Model):
    """The first `size` bytes of one file of the spool, and their hash."""

    path: str
    size: Count
    sha256: str


class LedgerEntry(_Model):
    """What a writer counted; `unknown` where its ledger, or its last count, is gone or damaged."""

    writer: str
    state: Literal["exact", "unknown"]
    made: dict[Kind, Count] = {}
    """How many records of each signal; a plan's file has a field a signal."""
    counted_at_unix_nano: _Nano = 0
    """Until when an `unknown` count is sure; 0 where not even that is known."""

    @model_validator(mode="before")
    @classmethod
    def _by_signal(cls, said: Any) -> Any:
        if not isinstance(said, dict) or "made" in said:
            return said
        made = {signal.kind: said[signal.many] for signal in SIGNALS if signal.many in said}
        many = {signal.many for signal in SIGNALS}
        return {**{name: value for name, value in said.items() if name not in many}, "made": made}

    @model_serializer
    def _a_field_a_signal(self) -> dict[str, Any]:
        counts = {signal.many: self.made.get(signal.kind, 0) for signal in IN_LEDGERS}
        at = {"counted_at_unix_nano": self.counted_at_unix_nano}
        return {"writer": self.writer, "state": self.state, **counts, **at}


class WriterPart(_Model):
    """One process's share: who it was, its records, its raw output, its ledger."""

    writer: str
    role: str
    started_unix_nano: _Nano
    records: SpoolRange
    output: dict[Literal["stdout", "stderr"], SpoolRange]
    ledger: LedgerEntry


class ArtifactEntry(_Model):
    """An artifact that stood in the record when the seal was planned."""

    path: str
    size: Count


class SealPlan(_Model):
    """Everything that a seal depends on."""

    format: int = _FORMAT
    version: str = __version__
    """Of the sealer that fixed it: the record names that one, whoever carries the plan out."""
    settings: RunSettings
    sealed_at_unix_nano: Count
    writers: list[WriterPart]
    lost: list[LedgerEntry]
    """What writers counted whose records are gone or cannot be read."""
    artifacts: list[ArtifactEntry]
    recovered: list[SpoolRange] = []
    """Output that shippers read for processes which had no time to record it."""
    unreadable_parts: Count = 0
    """Shipped parts that could not be read."""
    report: OperatorReport | None = None


def make_plan(
    settings: RunSettings, spool: Store, prefix: str, record: Store, now_unix_nano: int
) -> SealPlan:
    """Return the plan that stands in the spool, or fix one from what is there now.

    Args:
        settings: the run.
        spool: where its spool lies.
        prefix: the spool's folder in that store; "" for the store itself.
        record: where its record lies, opened at the record's own folder.
        now_unix_nano: the time of the seal.

    Raises:
        RecordError: a plan stands there that this version cannot read, or that no sealer fixed for this run.
    """
    path = f"{prefix}{PLAN}"
    if spool.size(path) is None:
        plan = plan_spool(settings, spool, prefix, stored_artifacts(record), now_unix_nano)
        if spool.create(path, plan.model_dump_json(indent=1).encode()):
            return plan
    return read_plan(SealPlan, spool, path, lambda plan, _raw: _believe(plan, settings))


def read_plan(kind: type[P], store: Store, path: str, believe: Callable[[P, bytes], None]) -> P:
    """Return the plan that stands at a path, which anybody may have written.

    Args:
        kind: its model.
        store: where it stands.
        path: its place there.
        believe: takes it and its bytes; raises `Unsound` where no sealer of ours would have fixed it.

    Raises:
        RecordNotFound: none stands there.
        SealConflict: it cannot be believed.
        RecordError: it is larger than any of ours, or cannot be read.
    """
    raw = store.get(path, layout.PLAN_LIMIT)
    try:
        plan = kind.model_validate_json(raw)
        believe(plan, raw)
    except (ValidationError, Unsound) as error:
        raise SealConflict.at(path, error, "remove it to plan anew") from error
    return plan


def _believe(plan: SealPlan, settings: RunSettings) -> None:
    """See that a plan is one that a sealer may have fixed for a run: anybody may have written it.

    Raises:
        Unsound: it is not.
    """
    # A record root may be called by another name since.
    if replace(plan.settings, spool=settings.spool, root=settings.root) != settings:
        raise Unsound("it is of another run than its spool's")
    if not plan.version.isprintable():
        raise Unsound("its version is none")
    for entry in [*plan.lost, *(writer.ledger for writer in plan.writers)]:
        if WRITER.fullmatch(entry.writer) is None:
            raise Unsound(f"no process can be called {entry.writer[:40]!r}")
    for part in plan.writers:
        stem, _, ending = part.records.path.rpartition(".")
        if part.writer != part.ledger.writer or (stem.rpartition("/")[2], ending) != (part.writer, "spool"):
            raise Unsound(f"the records of {part.writer[:40]!r} are not where it writes them")


def stored_artifacts(record: Store) -> list[ArtifactEntry]:
    """Return the artifacts that stand in a record; what else lies among them is none."""
    there = record.entries(f"{ARTIFACTS}/")
    return [ArtifactEntry(path=path, size=size) for path, size in there if ARTIFACT_FILE.fullmatch(path)]


def plan_spool(
    settings: RunSettings,
    spool: Store,
    prefix: str,
    artifacts: list[ArtifactEntry],
    now_unix_nano: int,
    *,
    counts: Mapping[str, LedgerEntry] | None = None,
    unreadable_parts: int = 0,
    report: OperatorReport | None = None,
    version: str = __version__,
) -> SealPlan:
    """Return a plan of what is in a spool now.

    Args:
        settings: the run.
        spool: where its spool lies.
        prefix: the spool's folder in that store; "" for the store itself.
        artifacts: those of the record.
        now_unix_nano: the time of the seal.
        counts: what writers counted, by writer, where that does not lie beside their records.
        unreadable_parts: how much of what was shipped could not be brought into this spool.
        report: the operator's.
        version: of the sealer that fixed what is sealed.
    """
    counts = counts or {}
    sizes, lost_spools, odd = _files(spool, prefix)
    writers: list[WriterPart] = []
    for path in sizes:
        if not path.endswith(".spool"):
            continue
        stem = path.removesuffix(".spool")
        header = _header(spool, path, settings.identity.uid)
        if header is None:
            continue
        output = {
            stream: _part(spool, f"{stem}.{suffix}")
            for stream, suffix in SUFFIX.items()
            if sizes.get(f"{stem}.{suffix}", 0)
        }
        # The ledger is read after the records: it goes up before each write, so it never says less.
        records = _part(spool, path)
        ledger = counts.get(header.writer) or _ledger(spool, f"{stem}.ledger", header.writer, sizes)
        writers.append(
            WriterPart(
                writer=header.writer,
                role=header.role,
                started_unix_nano=header.started_unix_nano,
                records=records,
                output=output,
                ledger=ledger,
            )
        )
    read = {part.records.path.removesuffix(".spool") for part in writers}
    stems = {path.rpartition(".")[0] for path in sizes if path.endswith((".spool", ".ledger"))} | lost_spools
    lost = [_ledger(spool, f"{stem}.ledger", stem.rpartition("/")[2], sizes) for stem in sorted(stems - read)]
    here = {part.writer for part in writers}
    lost += [counts[writer] for writer in sorted(counts.keys() - here)]
    writers.sort(key=lambda part: (part.started_unix_nano, part.writer))
    return SealPlan(
        version=version,
        settings=settings,
        sealed_at_unix_nano=now_unix_nano,
        writers=writers,
        lost=lost,
        artifacts=artifacts,
        recovered=[_part(spool, path) for path in sizes if path.endswith(RECOVERED)],
        unreadable_parts=unreadable_parts + odd,
        report=report,
    )


def _files(spool: Store, prefix: str) -> tuple[dict[str, int], set[str], int]:
    """Return what there is to seal.

    Returns:
        The size of each regular file that a process of ours may have left, by its path; the stems of
        records or counts that are none; and how many other files have an ending of ours and cannot be read.
    """
    sizes: dict[str, int] = {}
    lost: set[str] = set()
    odd = 0
    for path, _ in spool.entries(prefix):
        stem, _, ending = path.rpartition(".")
        if ending not in _ENDINGS:
            continue
        size = spool.size(path) if WRITER.fullmatch(stem.removeprefix(prefix)) else None
        if size is not None:
            sizes[path] = size
        elif ending in _OF_A_WRITER and WRITER.fullmatch(stem.removeprefix(prefix)):
            lost.add(stem)
        else:
            odd += 1
    return sizes, lost, odd


def _header(spool: Store, path: str, uid: str) -> Header | None:
    lines = bounded_lines(spool.chunks(path), lambda length: None)
    return sound_header(next(lines, b""), path.rpartition("/")[2].removesuffix(".spool"), uid)


def _part(spool: Store, path: str) -> SpoolRange:
    digest, size = hashlib.sha256(), 0
    for chunk in spool.chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return SpoolRange(path=path, size=size, sha256=digest.hexdigest())


def _ledger(spool: Store, path: str, writer: str, sizes: dict[str, int]) -> LedgerEntry:
    # What is larger is none, and may not fit into memory.
    ledger = read_ledger(spool.get(path)) if 0 < sizes.get(path, 0) <= _LEDGER_LIMIT else None
    if ledger is None or max(ledger.values()) >= 2**63:
        return LedgerEntry(writer=writer, state="unknown")
    return LedgerEntry(writer=writer, state="exact", made=dict(ledger))
