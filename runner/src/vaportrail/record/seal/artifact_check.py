"""What the seal proves of stored files: they are there and of their size, small ones what their names say.

A file's name is its SHA-256, which was checked when it was put there. Reading all of them again would
take hours where they are large; `vaportrail verify` does it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from vaportrail.errors import RecordNotFound
from vaportrail.record.rows import FileInfo
from vaportrail.record.seal.spool_plan import ArtifactEntry
from vaportrail.storage.interruptible import side_by_side
from vaportrail.storage.layout import ARTIFACTS, artifact_path
from vaportrail.storage.store import Store

__all__ = ["READ_BYTES", "check_artifacts"]

READ_BYTES: Final = 2**20
"""Bytes of a file that is read: no dearer than to ask a store for its size. Every sealer reads the same."""
_AT_ONCE: Final = 16


def check_artifacts(
    record: Store, planned: Sequence[ArtifactEntry], say: Callable[[str], None]
) -> tuple[list[FileInfo], list[str]]:
    """Return the planned artifacts that are files of the record, and the paths of those that came to harm.

    Args:
        record: the store, opened at the record's own folder.
        planned: the artifacts.
        say: is told of each that came to harm.
    """
    found = side_by_side(lambda artifact: _file(record, artifact), planned, _AT_ONCE)
    damaged = [artifact.path for artifact, file in zip(planned, found, strict=True) if file is None]
    for path in damaged:
        say(f"{path} is gone or not what its name says: it is not part of the record")
    return [file for file in found if file is not None], damaged


def _file(record: Store, artifact: ArtifactEntry) -> FileInfo | None:
    sha256 = artifact.path.removeprefix(f"{ARTIFACTS}/")
    if artifact.size > READ_BYTES:
        whole = record.size(artifact.path) == artifact.size
    else:
        whole = _is_itself(record, artifact)
    return FileInfo(path=artifact.path, size=artifact.size, sha256=sha256) if whole else None


def _is_itself(record: Store, artifact: ArtifactEntry) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in record.chunks(artifact.path):
            digest.update(chunk)
            size += len(chunk)
    except RecordNotFound:
        return False
    return artifact.path == artifact_path(digest.hexdigest()) and size == artifact.size
