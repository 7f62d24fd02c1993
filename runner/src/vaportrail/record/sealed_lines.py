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


def stored_files(record: Store, manifest: Manifest) -> Iterator[FileInfo | str]:
    """Yield the files that a record has beside those of its manifest, and damaged artifacts' paths.

    There may be any number of them, so none is kept. They count only where nothing is raised to the end.

    Raises:
        RecordError: they cannot be read, are not the ones that were sealed, or one is there twice.
    """
    if manifest.older is not None:
        yield from manifest.older.files
        yield from manifest.older.damaged
    last = ""
    for file in _of(manifest, FILES):
        for block in _blocks(record, file):
            for line in lines_of(block):
                found = _listed(line, file.path)
                if isinstance(found, FileInfo):
                    if found.path <= last:
                        raise RecordError(f"{file.path}: its files are not sorted, or one is there twice")
                    last = found.path
                if found is not None:
                    yield found


def _listed(line: bytes, where: str) -> FileInfo | str | None:
    try:
        found: Any = parse(line)
        kind = found["line"]
        if kind == "file":
            return FileInfo.model_validate(found)
        return str(found["path"]) if kind == "damaged" else None
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
