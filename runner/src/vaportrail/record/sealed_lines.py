"""The lines of a sealed record: its tasks and what belongs to them, and its files.

They are read with the hash that the manifest has of them, so they are what was sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from vaportrail.errors import RecordError
from vaportrail.record.manifest import Manifest
from vaportrail.record.rows import FileInfo
from vaportrail.record.sound import Unsound, parse
from vaportrail.record.unpacked import UNPACKED_LIMIT, Damaged, bounded_blocks, lines_of, unpacked
from vaportrail.storage.layout import RECORD_FILE
from vaportrail.storage.store import Store

__all__ = ["FILES", "TASKS", "row_blocks", "stored_files"]

TASKS: Final = "tasks"
FILES: Final = "files"


def row_blocks(record: Store, manifest: Manifest) -> Iterator[bytes]:
    """Yield the lines of a record's tasks, many at once.

    Args:
        record: the store, opened at the record's own folder.
        manifest: the record's.

    Raises:
        RecordError: they cannot be read, or are not the ones that were sealed.
    """
    if manifest.older is not None:
        yield from manifest.older.rows
    for file in _of(manifest, TASKS):
        yield from _blocks(record, file)


def stored_files(record: Store, manifest: Manifest) -> tuple[list[FileInfo], list[str]]:
    """Return the files that a record has beside those of its manifest, and damaged artifacts' paths.

    Raises:
        RecordError: they cannot be read, or are not the ones that were sealed.
    """
    files: list[FileInfo] = []
    damaged: list[str] = []
    if manifest.older is not None:
        files += manifest.older.files
        damaged += manifest.older.damaged
    for file in _of(manifest, FILES):
        for block in _blocks(record, file):
            for line in lines_of(block):
                _take(line, file.path, files, damaged)
    return files, damaged


def _take(line: bytes, where: str, files: list[FileInfo], damaged: list[str]) -> None:
    try:
        found: Any = parse(line)
        kind = found["line"]
        if kind == "file":
            files.append(FileInfo.model_validate(found))
        elif kind == "damaged":
            damaged.append(str(found["path"]))
    except (Unsound, ValidationError, TypeError, KeyError):
        raise RecordError(f"{where}: a line does not say which file it is of") from None


def _of(manifest: Manifest, name: str) -> Iterator[FileInfo]:
    for file in manifest.files:
        if RECORD_FILE.fullmatch(file.path) and file.path.partition("-")[0] == name:
            yield file


def _blocks(record: Store, file: FileInfo) -> Iterator[bytes]:
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for piece in record.chunks(file.path):
            digest.update(piece)
            yield piece

    def too_long(length: int) -> None:
        raise RecordError(f"{file.path}: a line of {length} bytes")

    try:
        yield from bounded_blocks(unpacked(pieces(), limit=UNPACKED_LIMIT), too_long)
    except Damaged as error:
        raise RecordError(f"{file.path} cannot be read to its end: {error}") from None
    if digest.hexdigest() != file.sha256:
        raise RecordError(f"{file.path} was changed since the seal: its SHA-256 is {digest.hexdigest()}")
