"""Verifying a record: every file it must have, none it must not, every byte as it was sealed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.facts import build_facts
from vaportrail.record.manifest import Facts, Manifest, hash_line, read_manifest
from vaportrail.record.otlp import SIGNALS, Record, read_line
from vaportrail.storage.layout import MANIFEST, MANIFEST_HASH
from vaportrail.storage.store import Store

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
    known = {MANIFEST, MANIFEST_HASH, *manifest.damaged_artifacts}
    for path in sorted(listed.keys() - expected.keys() - known):
        yield Problem(path, "is not part of the record: it was added after the seal")
    for path in sorted(expected.keys() & listed.keys()):
        file = expected[path]
        if listed[path] != file.size:
            yield Problem(path, f"has {listed[path]} bytes, was sealed with {file.size}")
            continue
        digest = hashlib.sha256()
        for chunk in record.chunks(path):
            digest.update(chunk)
        if digest.hexdigest() != file.sha256:
            yield Problem(path, f"was changed: its SHA-256 is {digest.hexdigest()}, sealed {file.sha256}")


def sealed_lines(record: Store, path: str) -> Iterator[bytes]:
    """Yield the lines of one sealed `.jsonl.gz` file."""
    # Segments are bounded, so one of them in memory is fine.
    with gzip.GzipFile(fileobj=io.BytesIO(record.get(path))) as packed:
        yield from packed


def sealed_records(record: Store, manifest: Manifest, *signals: str) -> Iterator[Record]:
    """Yield the records of a sealed record's OTLP files; of all signals unless some are named."""
    names = signals or tuple(signal.file for signal in SIGNALS)
    for file in manifest.files:
        if file.path.endswith(".jsonl.gz") and file.path.split("-")[0] in names:
            for line in sealed_lines(record, file.path):
                yield from read_line(line)


def rebuild_facts(record: Store, manifest: Manifest) -> Facts:
    """Return the manifest's facts, rebuilt from the record's OTLP files alone.

    Raises:
        RecordError: a line is not OTLP.
    """
    try:
        return build_facts(sealed_records(record, manifest))
    except (json.JSONDecodeError, KeyError, OSError) as error:
        raise RecordError(f"the record's OTLP files cannot be read: {error!r}") from error
