"""Artifacts: files of any size, stored once under their own SHA-256 as soon as they are logged."""

from __future__ import annotations

import hashlib
import mimetypes
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from vaportrail.errors import RecordError
from vaportrail.storage.layout import artifact_path

if TYPE_CHECKING:
    from vaportrail.storage.store import ObjectStore

__all__ = ["Artifact", "guess_media_type", "store_artifact"]

ONE_PIECE: Final = 64 * 2**20
"""Bytes of a file that is put by one request, which can say that nothing may stand there: parts cannot."""
_CHUNK: Final = 2**20
_EXTRA_TYPES: Final = {
    ".onnx": "application/onnx",
    ".ipynb": "application/x-ipynb+json",
    ".parquet": "application/vnd.apache.parquet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".md": "text/markdown",
    ".jsonl": "application/jsonl",
    ".npy": "application/x-npy",
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file. It can be handed to other tasks, which read it from the record.

    Attributes:
        name: the name it was logged under.
        root: the record's folder or URI.
        sha256: hex SHA-256 of its bytes; also its name in the record.
        size: bytes.
        media_type: IANA media type.
        kind: what it is to a reader, such as `file` or `table`: see `log`.
    """

    name: str
    root: str
    sha256: str
    size: int
    media_type: str
    kind: str = "file"

    @property
    def uri(self) -> str:
        """Where the bytes lie: a file or an object store's URI."""
        return f"{self.root}/{artifact_path(self.sha256)}"

    def read(self) -> bytes:
        """Return all bytes, checked against the SHA-256.

        Raises:
            RecordError: the stored bytes are not the ones that were logged.
        """
        content = _store(self.root).get(artifact_path(self.sha256))
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise RecordError(f"artifact {self.name!r} at {self.uri} is not what was logged")
        return content

    def download(self, to: str | PathLike[str]) -> Path:
        """Write the bytes to the file `to` in pieces and return its path."""
        target, digest = Path(to), hashlib.sha256()
        with target.open("wb") as file:
            for chunk in _store(self.root).chunks(artifact_path(self.sha256)):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != self.sha256:
            raise RecordError(f"artifact {self.name!r} at {self.uri} is not what was logged")
        return target


@lru_cache(maxsize=8)
def _store(root: str, *, create: bool = False) -> ObjectStore:
    from vaportrail.storage.store import open_store

    return open_store(root, create=create)


def guess_media_type(name: str) -> str:
    """Return a media type for a file's name, `application/octet-stream` where unknown."""
    suffix = Path(name).suffix.lower()
    return _EXTRA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def store_artifact(
    record_root: str,
    name: str,
    source: str | PathLike[str] | bytes | BinaryIO,
    *,
    media_type: str | None = None,
    kind: str = "file",
) -> Artifact:
    """Store `source` in the record at `record_root` and return it; the bytes are there on return.

    Args:
        record_root: the record's own folder or URI.
        name: what the user calls it.
        source: a path, bytes, or a binary stream (an unseekable one goes through the disk).
        media_type: an IANA media type; by the name's ending where not given.
        kind: what it is to a reader.
    """
    store = _store(record_root, create=True)
    with _as_file_or_bytes(source) as content:
        if isinstance(content, Path) and content.stat().st_size <= ONE_PIECE:
            content = content.read_bytes()  # read once: the file may change
        sha256, size = _measure(content)
        path = artifact_path(sha256)
        if isinstance(content, bytes):
            store.create(path, content)
        elif store.size(path) != size:
            _put_in_parts(store, path, content, sha256)
    return Artifact(name, record_root, sha256, size, media_type or guess_media_type(name), kind)


def _put_in_parts(store: ObjectStore, path: str, content: Path, sha256: str) -> None:
    from vaportrail.storage.store_errors import is_denied

    try:
        store.put_stream(path, content, sha256)
    except RecordError as error:
        if not is_denied(error):
            raise
        raise RecordError(
            f"{error}; a file of more than {ONE_PIECE // 2**20} MiB is stored in parts, which cannot say "
            "If-None-Match: a store's policy that demands it (s3:if-none-match) lets none in"
        ) from error


@contextmanager
def _as_file_or_bytes(source: str | PathLike[str] | bytes | BinaryIO) -> Iterator[bytes | Path]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield bytes(source)
    elif isinstance(source, str | PathLike):
        yield Path(source)
    else:
        with tempfile.NamedTemporaryFile(prefix="vaportrail-") as copy:
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
            copy.flush()
            yield Path(copy.name)


def _measure(content: bytes | Path) -> tuple[str, int]:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), content.stat().st_size
