"""Carries out a seal plan: the spool's records become the sealed files, the manifest comes last.

The same plan gives the same bytes, whoever carries it out and how often: nothing here reads a
clock or a listing, gzip's header holds no time, and everything is written with a conditional
create whose losers compare what stands there with what they made.
"""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.record.facts import FactsBuilder
from vaportrail.record.manifest import FileInfo, Manifest, hash_line
from vaportrail.record.otlp_lines import Record, write_lines
from vaportrail.record.seal.completion import Completion
from vaportrail.record.seal.spool_plan import ArtifactEntry, SealPlan, SpoolRange
from vaportrail.record.spooled import first_pieces, spooled_records
from vaportrail.storage.layout import MANIFEST, MANIFEST_HASH, artifact_path
from vaportrail.storage.store import Store
from vaportrail.telemetry.otlp_json import BY_KIND
from vaportrail.telemetry.output import Stream
from vaportrail.telemetry.secret_digests import DIGESTS, DIGESTS_LIMIT, SecretDigests, read_digests
from vaportrail.telemetry.spool import Kind

__all__ = ["SealResult", "carry_out"]

SEGMENT_BYTES: Final = 60 * 2**20
"""A segment is closed at the first line past this size, and before one that could bring it over 64 MiB."""
SEGMENT_LIMIT: Final = 64 * 2**20 - 2**20
"""What the packer still holds back comes on top."""
UNPACKED_BYTES: Final = 2**30
"""A segment is closed at the first line past this size of its text: a reader takes no more than 4 GiB."""
_GZIP_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class SealResult:
    """A sealed record: its manifest, and the hash that proves it."""

    manifest: Manifest
    sha256: str


def carry_out(
    plan: SealPlan, spool: Store, record: Store, *, progress: Callable[[str], None] = lambda line: None
) -> SealResult:
    """Make the record that `plan` describes, or finish one that another sealer began.

    Args:
        plan: what is sealed.
        spool: the store that the plan's paths are in.
        record: the store of the record, opened at its own folder.
        progress: is told what is being written.

    Raises:
        SealConflict: something different stands under a name of the record.
        RecordError: the spool no longer holds what was planned, or a store failed.
    """
    for writer in plan.writers:
        for part in (writer.records, *writer.output.values()):
            _check_part(spool, part)
    for part in plan.recovered:
        _check_part(spool, part)
    facts = FactsBuilder()
    files: list[FileInfo] = []
    with (
        tempfile.TemporaryDirectory(prefix="vaportrail-seal-") as folder,
        closing(_Segments(Path(folder))) as segments,
    ):
        for kind, line in write_lines(_reasons(_records(plan, spool), facts)):
            for path in segments.write(kind, line):
                files.append(_publish(record, path, progress))
        for path in segments.finish():
            files.append(_publish(record, path, progress))
    damaged: list[str] = []
    for artifact in plan.artifacts:
        file = _artifact_file(record, artifact)
        if file is not None:
            files.append(file)
        else:
            progress(f"{artifact.path} is gone or not what its name says: it is not part of the record")
            damaged.append(artifact.path)
    files.sort(key=lambda file: file.path)
    manifest = Manifest(**dict(facts.build()), files=files, damaged_artifacts=damaged)
    raw = manifest.to_bytes()
    # The hash first: where there is a manifest, the record is whole.
    _create(record, MANIFEST_HASH, hash_line(raw))
    _create(record, MANIFEST, raw)
    return SealResult(manifest, hashlib.sha256(raw).hexdigest())


def _records(plan: SealPlan, spool: Store) -> Iterator[Record]:
    completion = Completion(plan)

    def unsound(_why: str) -> None:
        completion.unreadable += 1

    for writer in plan.writers:
        part = writer.records
        for record in spooled_records(spool, part.path, part.size, unsound):
            completion.see(record)
            yield record
    for writer in plan.writers:
        if not writer.output:
            continue
        try:
            secrets = _secrets(spool, writer.records.path)
        except _Unknown:
            completion.unread_files += 1
            continue
        for stream, part in sorted(writer.output.items()):
            yield from _rest_of_output(completion, writer.writer, stream, part, spool, secrets)
    for part in plan.recovered:
        for record in spooled_records(spool, part.path, part.size, unsound):
            yield completion.adopt(record)
    yield from completion.start()
    yield from completion.end()
    yield from completion.spans()
    yield from completion.infrastructure()
    yield from completion.ledgers([*(writer.ledger for writer in plan.writers), *plan.lost])


def _rest_of_output(
    completion: Completion,
    writer: str,
    stream: Stream,
    part: SpoolRange,
    spool: Store,
    secrets: SecretDigests | None,
) -> Iterator[Record]:
    """Yield what a process had no time to record of its output: there may be more than fits into memory."""
    at, rest = 0, b""
    for piece in first_pieces(spool.chunks(part.path), part.size):
        begin = completion.read_up_to(writer, stream)
        at += len(piece)
        rest = (rest + piece)[-(at - begin) :] if at > begin else b""
        yield from completion.output_lines(writer, stream, rest, final=False, secrets=secrets)
        rest = rest[completion.read_up_to(writer, stream) - begin :]
    if rest:
        yield from completion.output_lines(writer, stream, rest, secrets=secrets)


def _secrets(spool: Store, records: str) -> SecretDigests | None:
    """Return what a dead process left word of: its output is finished where its environment is unknown."""
    path = f"{records.removesuffix('.spool')}.{DIGESTS}"
    try:
        found = read_digests(spool.get(path, DIGESTS_LIMIT))
    except RecordNotFound:
        return None
    except RecordError as error:
        raise _Unknown from error
    if found is None:
        raise _Unknown
    return found


def _reasons(records: Iterator[Record], facts: FactsBuilder) -> Iterator[Record]:
    for record in records:
        facts.take(record)
        yield record


class _Unknown(Exception):
    """What a process had for secrets cannot be told any more: its output may hold them."""


class _Segments:
    """Writes lines into gzip files, one series a signal, and says which files are full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Kind, tuple[Path, BinaryIO, gzip.GzipFile]] = {}
        self._sizes: dict[Kind, int] = {}
        self._number: dict[Kind, int] = {}

    def write(self, kind: Kind, line: bytes) -> Iterator[Path]:
        """Append a line; yield the files that it filled, if it did."""
        if kind in self._open and self._open[kind][1].tell() + len(line) > SEGMENT_LIMIT:
            yield self._end(kind)
        if kind not in self._open:
            self._open[kind] = self._begin(kind)
        _, raw, packed = self._open[kind]
        packed.write(line)
        self._sizes[kind] = self._sizes.get(kind, 0) + len(line)
        if raw.tell() >= SEGMENT_BYTES or self._sizes[kind] >= UNPACKED_BYTES:
            yield self._end(kind)

    def finish(self) -> Iterator[Path]:
        """Finish what is open; yield the files in the order of their names."""
        for kind in sorted(self._open, key=lambda kind: BY_KIND[kind].file):
            yield self._end(kind)

    def close(self) -> None:
        """Close what is open; nothing more comes of it."""
        for kind in list(self._open):
            self._end(kind)

    def _begin(self, kind: Kind) -> tuple[Path, BinaryIO, gzip.GzipFile]:
        self._number[kind] = self._number.get(kind, 0) + 1
        path = self._folder / f"{BY_KIND[kind].file}-{self._number[kind]:04d}.jsonl.gz"
        raw = path.open("wb")
        return path, raw, gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0)

    def _end(self, kind: Kind) -> Path:
        self._sizes.pop(kind, None)
        path, raw, packed = self._open.pop(kind)
        packed.close()
        raw.close()
        return path


def _check_part(spool: Store, part: SpoolRange) -> None:
    digest, left = hashlib.sha256(), part.size
    for chunk in spool.chunks(part.path):
        digest.update(chunk[:left])
        left -= min(left, len(chunk))
        if not left:
            break
    if digest.hexdigest() != part.sha256:
        raise RecordError(
            f"{part.path} is no longer what the seal plan fixed; remove seal-plan.json to plan anew"
        )


def _publish(record: Store, path: Path, progress: Callable[[str], None]) -> FileInfo:
    progress(f"writing {path.name}")
    content = path.read_bytes()
    _create(record, path.name, content)
    path.unlink()
    return FileInfo(path=path.name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _create(record: Store, path: str, content: bytes) -> None:
    if not record.create(path, content) and record.get(path) != content:
        raise SealConflict(
            f"{path} of this record exists and is different; nothing was overwritten. "
            "It was sealed from another spool, or changed since"
        )


def _artifact_file(record: Store, artifact: ArtifactEntry) -> FileInfo | None:
    """Return an artifact as a file of the record; None where its bytes have not the hash that is its name."""
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in record.chunks(artifact.path):
            digest.update(chunk)
            size += len(chunk)
    except RecordNotFound:
        return None
    if artifact.path != artifact_path(digest.hexdigest()) or size != artifact.size:
        return None
    return FileInfo(path=artifact.path, size=size, sha256=digest.hexdigest())
