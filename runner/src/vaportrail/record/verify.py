"""Verifying a record: every file it must have, none it must not, every byte as it was sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.facts import build_facts
from vaportrail.record.manifest import Facts, Manifest, hash_line, read_manifest
from vaportrail.record.otlp_lines import SIGNALS, Record, read_line
from vaportrail.record.unpacked import UNPACKED_LIMIT, Damaged, bounded_lines, unpacked
from vaportrail.storage.layout import ARTIFACT_FILE, MANIFEST, MANIFEST_HASH, RECORD_FILE
from vaportrail.storage.store import Store, is_outage
from vaportrail.telemetry import conventions as c

__all__ = ["Problem", "Verification", "rebuild_facts", "sealed_records", "verify"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one file."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; a record is whole when there is no problem."""

    problems: list[Problem]
    files: int
    size: int
    sha256: str
    manifest: Manifest | None

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(record: Store, where: str) -> Verification:
    """Check a sealed record against its manifest and the manifest against its hash.

    Args:
        record: the store, opened at the record's own folder.
        where: how to call it in messages.

    Raises:
        RecordNotFound: there is nothing at all.
    """
    listed = dict(record.entries(""))
    if not listed:
        raise RecordNotFound(f"there is no record at {where}")
    missing = [name for name in (MANIFEST, MANIFEST_HASH) if name not in listed]
    if missing:
        problems = [Problem(name, "is missing, so the record is not sealed") for name in missing]
        return Verification(problems, len(listed), sum(listed.values()), "", None)
    raw, hashed = record.get(MANIFEST), record.get(MANIFEST_HASH)
    sha256 = hashlib.sha256(raw).hexdigest()
    if hashed != hash_line(raw):
        message = f"{MANIFEST} and {MANIFEST_HASH} do not agree: one of the two was changed"
        problems = [Problem(MANIFEST, message), Problem(MANIFEST_HASH, message)]
        return Verification(problems, len(listed), sum(listed.values()), sha256, None)
    try:
        manifest = read_manifest(raw, MANIFEST)
    except RecordError as error:
        return Verification([Problem(MANIFEST, str(error))], len(listed), 0, sha256, None)
    problems = list(_check_files(record, manifest, listed))
    return Verification(problems, len(listed), sum(listed.values()), sha256, manifest)


def _check_files(record: Store, manifest: Manifest, listed: dict[str, int]) -> Iterator[Problem]:
    expected = {file.path: file for file in manifest.files}
    for path in sorted(expected.keys() - listed.keys()):
        yield Problem(path, "is missing")
    damaged = [path for path in manifest.damaged_artifacts if ARTIFACT_FILE.fullmatch(path)]
    known = {MANIFEST, MANIFEST_HASH, *damaged}
    for path in sorted(listed.keys() - expected.keys() - known):
        yield Problem(path, "is not part of the record: it was added after the seal")
    for path in sorted(expected.keys() & listed.keys()):
        file = expected[path]
        if listed[path] != file.size:
            yield Problem(path, f"has {listed[path]} bytes, was sealed with {file.size}")
            continue
        digest = hashlib.sha256()
        try:
            for chunk in record.chunks(path):
                digest.update(chunk)
        except RecordError as error:
            yield Problem(path, str(error))
            continue
        if digest.hexdigest() != file.sha256:
            yield Problem(path, f"was changed: its SHA-256 is {digest.hexdigest()}, sealed {file.sha256}")


def sealed_records(
    record: Store, manifest: Manifest, *signals: str, unreadable: Callable[[str], None] | None = None
) -> Iterator[Record]:
    """Yield the records of a sealed record's OTLP files.

    Args:
        record: the store, opened at the record's own folder.
        manifest: the record's.
        signals: whose files; of all where none is named.
        unreadable: told of each file and each of its records that cannot be read, and all others are
            yielded; where it is not given, the first of them is raised.

    Raises:
        RecordError: something cannot be read, or the store does not answer.
    """
    names = signals or tuple(signal.file for signal in SIGNALS)
    for file in manifest.files:
        if RECORD_FILE.fullmatch(file.path) and file.path.partition("-")[0] in names:
            try:
                yield from _file_records(record, file.path, unreadable)
            except RecordError as error:
                if unreadable is None or is_outage(error):  # the file may well be whole
                    raise
                unreadable(str(error))


def _file_records(record: Store, path: str, unreadable: Callable[[str], None] | None) -> Iterator[Record]:
    def left_out(why: object) -> None:
        message = f"{path}: {why}"
        if unreadable is None:
            raise RecordError(message)
        unreadable(message)

    pieces = unpacked(record.chunks(path), limit=UNPACKED_LIMIT)
    lines = bounded_lines(pieces, lambda length: left_out(f"a line of {length} bytes"))
    try:
        for line in lines:
            for found in read_line(line, left_out):
                if found.attributes.get(c.SEQ):
                    yield found
                else:
                    left_out("a record without a number")
    except Damaged as error:
        raise RecordError(f"{path} cannot be read to its end: {error}") from None


def rebuild_facts(record: Store, manifest: Manifest) -> Facts:
    """Return the manifest's facts, rebuilt from the record's OTLP files alone.

    Raises:
        RecordError: they cannot be read, or a line of them holds something else.
    """
    return build_facts(sealed_records(record, manifest))
