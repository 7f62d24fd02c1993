"""Verifying a record: every file it must have, none it must not, every byte as it was sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from pydantic_core import from_json

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.facts import build_facts
from vaportrail.record.manifest import Manifest, hash_line
from vaportrail.record.otlp_lines import Record, read_line
from vaportrail.record.rows import OWNED, FileInfo
from vaportrail.record.run_facts import Facts
from vaportrail.record.sealed_lines import FILES, row_blocks, stored_files
from vaportrail.record.sound import Unsound, parse
from vaportrail.record.unpacked import UNPACKED_LIMIT, Damaged, bounded_lines, lines_of, unpacked
from vaportrail.record.versions.any_version import read_manifest
from vaportrail.storage.interruptible import side_by_side
from vaportrail.storage.layout import (
    ARTIFACT_FILE,
    ARTIFACTS,
    MANIFEST,
    MANIFEST_HASH,
    MANIFEST_HASH_LIMIT,
    MANIFEST_LIMIT,
    MANIFEST_SIGNATURE,
    RECORD_FILE,
)
from vaportrail.storage.store import Store, is_outage
from vaportrail.telemetry import conventions as c

__all__ = ["Problem", "Verification", "rebuild_facts", "sealed_records", "unfounded", "verify"]

_KNOWN_LINES: Final = frozenset({*OWNED, "section"})
_NAMED: Final = 10_000
"""Files that are named of those that are not there."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one file."""

    path: str
    message: str
    unread: bool = False
    """Whether the store did not hand the file out: it may well be whole."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; a record is whole when there is no problem."""

    problems: list[Problem]
    files: int
    size: int
    sha256: str
    manifest: Manifest | None
    damaged: list[str] = field(default_factory=list)
    """Artifacts that were gone or damaged when the record was sealed: they are no part of it."""

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
    limits = {MANIFEST: MANIFEST_LIMIT, MANIFEST_HASH: MANIFEST_HASH_LIMIT}
    too_large = [name for name, limit in limits.items() if listed[name] > limit]
    if too_large:
        problems = [
            Problem(name, f"has {listed[name]} bytes, more than any of its kind") for name in too_large
        ]
        return Verification(problems, len(listed), sum(listed.values()), "", None)
    raw, hashed = (record.get(name, limit) for name, limit in limits.items())
    sha256 = hashlib.sha256(raw).hexdigest()
    if hashed != hash_line(raw):
        message = f"{MANIFEST} and {MANIFEST_HASH} do not agree: one of the two was changed"
        problems = [Problem(MANIFEST, message), Problem(MANIFEST_HASH, message)]
        return Verification(problems, len(listed), sum(listed.values()), sha256, None)
    try:
        manifest = read_manifest(raw, MANIFEST)
    except RecordError as error:
        return Verification([Problem(MANIFEST, str(error))], len(listed), 0, sha256, None)
    own = {file.path: file for file in manifest.files}
    problems = list(_check_files(record, own, listed))
    if len(own) < len(manifest.files):
        problems.append(Problem(MANIFEST, "names a file twice, and one of the two may be believed"))
    damaged: list[str] = []
    # What lists the stored files is one of the files: where it is damaged, nothing is known of them.
    if not any(problem.path.startswith(f"{FILES}-") for problem in problems):
        try:
            stored, damaged, absent = _stored(record, manifest, listed)
        except RecordError as error:
            problems.append(Problem(MANIFEST, str(error), unread=is_outage(error)))
        else:
            problems += absent
            problems += _check_files(record, stored, listed)
            known = {MANIFEST, MANIFEST_HASH, MANIFEST_SIGNATURE, *own, *stored}
            known |= {path for path in damaged if ARTIFACT_FILE.fullmatch(path)}
            problems += [
                Problem(path, "is not part of the record: it was added after the seal")
                for path in sorted(listed.keys() - known)
            ]
    problems.sort(key=lambda problem: problem.path)
    return Verification(problems, len(listed), sum(listed.values()), sha256, manifest, damaged)


def _stored(
    record: Store, manifest: Manifest, listed: Collection[str]
) -> tuple[dict[str, FileInfo], list[str], list[Problem]]:
    """Return the stored files that are there, damaged artifacts' paths, and what is missing.

    Of what is not there only the first are kept: a small file may name more than fits into memory.
    """
    stored: dict[str, FileInfo] = {}
    damaged: dict[str, None] = {}
    missing: list[Problem] = []
    more = 0
    for found in stored_files(record, manifest):
        if isinstance(found, str):
            if found in listed or len(damaged) < _NAMED:
                damaged[found] = None
        elif found.path in listed:
            stored[found.path] = found
        elif len(missing) < _NAMED:
            missing.append(Problem(found.path, "is missing"))
        else:
            more += 1
    if more:
        missing.append(Problem(ARTIFACTS, f"{more} more of its files are missing"))
    return stored, list(damaged), missing


def _check_files(record: Store, expected: dict[str, FileInfo], listed: dict[str, int]) -> Iterator[Problem]:
    for path in sorted(expected.keys() - listed.keys()):
        yield Problem(path, "is missing")
    there = sorted(expected.keys() & listed.keys())
    for found in side_by_side(lambda path: _problem(record, expected[path], listed[path]), there):
        if found is not None:
            yield found


def _problem(record: Store, file: FileInfo, size: int) -> Problem | None:
    if size != file.size:
        return Problem(file.path, f"has {size} bytes, was sealed with {file.size}")
    digest = hashlib.sha256()
    try:
        for chunk in record.chunks(file.path):
            digest.update(chunk)
    except RecordNotFound as error:
        return Problem(file.path, str(error))
    except RecordError as error:
        return Problem(file.path, str(error), unread=True)
    if digest.hexdigest() != file.sha256:
        return Problem(file.path, f"was changed: its SHA-256 is {digest.hexdigest()}, sealed {file.sha256}")
    return None


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
    for file in _data_files(record, manifest):
        if RECORD_FILE.fullmatch(file.path) and file.path.partition("-")[0] in names:
            try:
                yield from _file_records(record, file.path, unreadable)
            except RecordError as error:
                if unreadable is None or is_outage(error):  # the file may well be whole
                    raise
                unreadable(str(error))


def _data_files(record: Store, manifest: Manifest) -> Iterator[FileInfo]:
    yield from manifest.files
    if manifest.left_out.get("files"):
        yield from (found for found in stored_files(record, manifest) if isinstance(found, FileInfo))


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
    """Return the facts of a sealed record, rebuilt from its OTLP files alone.

    Raises:
        RecordError: they cannot be read, or a line of them holds something else.
    """
    return build_facts(sealed_records(record, manifest))


def unfounded(record: Store, manifest: Manifest) -> list[str]:
    """Return which parts of a record do not follow from its OTLP files.

    Raises:
        RecordError: they cannot be read, or a line of them holds something else.
    """
    rebuilt = rebuild_facts(record, manifest)
    own = {*manifest.unfilled, "files", "stored", "left_out"}
    if manifest.older is not None:
        own.add("metrics")  # it had them all, and which are the last it did not say
    # As JSON: there NaN equals itself.
    said, now = (from_json(head.model_dump_json(exclude=own)) for head in (manifest, rebuilt.head))
    wrong = [key for key in said if said[key] != now.get(key)]
    if manifest.older is None and _left_out(manifest) != _left_out(rebuilt.head):
        wrong.append("left_out")
    parts: dict[str, None] = {}
    for mine, theirs in zip_longest(_rows(row_blocks(record, manifest)), _rows(rebuilt.lines())):
        if mine != theirs:
            for row in (mine, theirs):
                if row is not None:
                    parts[OWNED.get(row["line"], str(row["line"]))] = None
    return [*wrong, *(part for part in parts if part not in wrong)]


def _left_out(head: Manifest) -> dict[str, int]:
    return {name: count for name, count in head.left_out.items() if name != "files"}


def _rows(blocks: Iterable[bytes]) -> Iterator[Any]:
    lines = (line for block in blocks for line in lines_of(block))
    for line in lines:
        try:
            row = parse(line)
            known = row["line"] in _KNOWN_LINES
        except (Unsound, LookupError, TypeError):
            raise RecordError("a line of its tasks does not say what it is of") from None
        if known:
            yield row
