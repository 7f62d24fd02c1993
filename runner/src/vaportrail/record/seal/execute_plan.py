"""Carries out a seal plan: the spool's records become the sealed files, the manifest comes last.

The same plan gives the same bytes, whoever carries it out and how often: nothing here reads a
clock or a listing, gzip's header holds no time, and everything is written with a conditional
create whose losers compare what stands there with what they made.
"""

from __future__ import annotations

import gc
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vaportrail.contract.otlp_signals import BY_KIND
from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.record.facts import FactsBuilder
from vaportrail.record.manifest import Manifest, StoredFiles, hash_line
from vaportrail.record.otlp_lines import Record, write_lines
from vaportrail.record.rows import FileInfo, damaged_line, file_line
from vaportrail.record.seal.artifact_check import check_artifacts
from vaportrail.record.seal.completion import Completion
from vaportrail.record.seal.segments import Segments
from vaportrail.record.seal.spool_plan import SealPlan, SpoolRange
from vaportrail.record.sealed_lines import FILES, TASKS
from vaportrail.record.spooled import first_pieces, spooled_records
from vaportrail.storage.layout import MANIFEST, MANIFEST_HASH
from vaportrail.storage.store import Store
from vaportrail.telemetry.output import Stream
from vaportrail.telemetry.secret_digests import DIGESTS, DIGESTS_LIMIT, SecretDigests, read_digests

__all__ = ["SealResult", "carry_out"]

FILES_NAMED: Final = 200
"""How many files of lines the manifest names itself."""
_ALLOCATIONS: Final = 100_000
"""After so many objects the youngest are looked through; Python's own number is 700."""


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
    with (
        _collected_seldom(),
        tempfile.TemporaryDirectory(prefix="vaportrail-seal-") as folder,
        closing(Segments(Path(folder))) as segments,
    ):

        def publish(lines: Iterable[tuple[str, bytes]]) -> Iterator[FileInfo]:
            for name, line in lines:
                for path in segments.write(name, line):
                    yield _publish(record, path, progress)
            for path in segments.finish():
                yield _publish(record, path, progress)

        found = _reasons(_records(plan, spool), facts)
        files = list(publish((BY_KIND[kind].file, line) for kind, line in write_lines(found)))
        head = facts.head()
        files += publish((TASKS, line) for line in facts.lines())
        stored, damaged = check_artifacts(record, plan.artifacts, progress)
        listed = [*stored]
        if len(files) > FILES_NAMED:
            # More than the manifest has room for: those are named where the stored files are.
            listed += (file for file in files if not file.path.startswith(f"{TASKS}-"))
            files = [file for file in files if file.path.startswith(f"{TASKS}-")]
        lines = [file_line(file) for file in sorted(listed, key=lambda file: file.path)]
        files += publish((FILES, line) for line in (*lines, *map(damaged_line, damaged)))
    left_out = {"files": len(listed) - len(stored)} if len(listed) > len(stored) else {}
    manifest = head.model_copy(
        update={
            "files": sorted(files, key=lambda file: file.path),
            "stored": StoredFiles(
                count=len(stored), size=sum(file.size for file in stored), damaged=len(damaged)
            ),
            "left_out": {**head.left_out, **left_out},
        }
    )
    raw = manifest.to_bytes()
    # The hash first: where there is a manifest, the record is whole.
    _create(record, MANIFEST_HASH, hash_line(raw))
    _create(record, MANIFEST, raw)
    return SealResult(manifest, hashlib.sha256(raw).hexdigest())


@contextmanager
def _collected_seldom() -> Iterator[None]:
    """Let the garbage collector look seldom: what is read of a run are trees, and no look frees any of it.

    By its own measure it looks through all of them again and again, which costs a task more the more
    there are.
    """
    before = gc.get_threshold()
    if before[0]:  # else it never looks
        gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
        yield from completion.output_blocks(writer, stream, rest, final=False, secrets=secrets)
        rest = rest[completion.read_up_to(writer, stream) - begin :]
    if rest:
        yield from completion.output_blocks(writer, stream, rest, secrets=secrets)


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
    if not record.create(path, content) and not _is(record, path, content):
        why = "it was sealed from another spool, or changed since"
        raise SealConflict.at(path, why)


def _is(record: Store, path: str, content: bytes) -> bool:
    # What stands there may be of any size.
    return record.size(path) == len(content) and record.get(path, len(content)) == content
