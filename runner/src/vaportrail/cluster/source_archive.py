"""An archive with a run's code: fetched, checked against its hash, unpacked without trusting it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import IO, Any, Final, cast
from urllib.error import URLError

from vaportrail.cluster import source_limits
from vaportrail.cluster.addresses import has_credentials, shown
from vaportrail.contract.pod_messages import ArchiveSource
from vaportrail.crd.fields import ARCHIVE_ENDINGS
from vaportrail.errors import RecordError, UsageError
from vaportrail.storage.store import open_store
from vaportrail.version import __version__

__all__ = ["fetch_archive"]

_CHUNK: Final = 2**20
_REPLY_SECONDS: Final = 30.0
"""How long a web server may be silent."""
_HEADER_LIMIT: Final = 2**20
"""Bytes of what a tar archive may say of one file."""
_XZ: Final = b"\xfd7zXZ\x00"
_DAMAGED: Final = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError,
    RuntimeError, KeyError, OverflowError,
)  # fmt: skip


def fetch_archive(source: ArchiveSource, folder: Path) -> None:
    """Unpack an archive into `folder`, which is made.

    Raises:
        UsageError: it cannot be had, is not what its hash says, or would write outside of `folder`.
    """
    where = shown(source.uri)
    if has_credentials(source.uri):
        raise UsageError(
            f"source.archive.uri {where!r} holds credentials, which would stand in the cluster for all to "
            "read: use an address without, or the bucket's own with record.secretRef"
        )
    name = source.uri.partition("?")[0].rpartition("/")[2]
    if not name.endswith(ARCHIVE_ENDINGS):
        raise UsageError(
            f"source.archive.uri {where!r} is no archive that can be unpacked; "
            f"its name must end in one of {', '.join(ARCHIVE_ENDINGS)}"
        )
    packed = folder.with_name(f"{folder.name}.packed")
    digest = _download(source.uri, packed)
    if digest != source.sha256.lower():
        raise UsageError(
            f"source.archive.sha256 {source.sha256!r} is not the hash of {where}, which is {digest}; "
            "give that if you trust what is there now"
        )
    folder.mkdir(parents=True)
    try:
        unpack = _unpack_zip if name.endswith(".zip") else _unpack_tar
        unpack(packed, folder)
    except _DAMAGED as error:
        raise UsageError(f"source.archive.uri {where!r} cannot be unpacked: {error}") from None
    packed.unlink()


def _download(uri: str, target: Path) -> str:
    """Bring an object to a file; return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as file:
            for chunk in _chunks(uri):
                size += len(chunk)
                if size > (limit := source_limits.PACKED_LIMIT):
                    raise UsageError(
                        f"source.archive.uri {shown(uri)!r} has more than {limit} bytes; put data into "
                        "object storage and code into the archive"
                    )
                digest.update(chunk)
                file.write(chunk)
    except (RecordError, HTTPException, OSError, ValueError) as error:
        raise UsageError(f"source.archive.uri {shown(uri)!r} cannot be fetched: {_reason(error)}") from None
    return digest.hexdigest()


def _chunks(uri: str) -> Iterator[bytes]:
    if re.match(r"https?://", uri):
        agent = {"User-Agent": f"vaportrail/{__version__}"}
        request = urllib.request.Request(uri, headers=agent)
        with urllib.request.urlopen(request, timeout=_REPLY_SECONDS) as reply:
            while chunk := reply.read(_CHUNK):
                yield chunk
        return
    place, _, name = uri.rpartition("/")
    root = place.removeprefix("file://") if place.startswith("file://") else place
    yield from open_store(root).chunks(name)


def _reason(error: Exception) -> str:
    plain = isinstance(error, URLError) and not hasattr(error, "code")
    return shown(str(error.reason if plain else error)) or type(error).__name__  # type: ignore[attr-defined]


def _unpack_tar(packed: Path, folder: Path) -> None:
    unpacked = source_limits.Unpacked()
    with _decompressed(packed) as content:
        reading = _Bounded(content)
        with tarfile.open(fileobj=cast(IO[bytes], reading), mode="r:") as archive:
            while (member := archive.next()) is not None:
                if member.issym() or member.islnk():
                    raise ValueError(f"{member.name!r} is a link; an archive may hold files and folders only")
                unpacked.add(member.size)
                reading.left = member.size + _HEADER_LIMIT
                # The filter refuses absolute and outer paths, and devices.
                archive.extract(member, folder, filter="data")
                cast(Any, archive).members.clear()  # each keeps its header
                reading.left = _HEADER_LIMIT


def _decompressed(packed: Path) -> IO[bytes]:
    with packed.open("rb") as file:
        begins = file.read(len(_XZ))
    if begins.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(packed))
    if begins.startswith(b"BZh"):
        return bz2.open(packed)
    return lzma.open(packed) if begins == _XZ else packed.open("rb")


@dataclass(slots=True)
class _Bounded:
    """A file of which only so much is read: a header may say that it is as long as memory."""

    file: IO[bytes]
    left: int = _HEADER_LIMIT

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise ValueError("it holds a header that is too long")
        self.left -= size
        return self.file.read(size)

    def seek(self, offset: int) -> int:
        return self.file.seek(offset)

    def tell(self) -> int:
        return self.file.tell()


def _unpack_zip(packed: Path, folder: Path) -> None:
    unpacked = source_limits.Unpacked()
    with zipfile.ZipFile(packed) as archive:
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
                raise ValueError(f"{entry.filename!r} lies outside of the archive")
            if S_ISLNK(entry.external_attr >> 16):
                raise ValueError(f"{entry.filename!r} is a link; a zip may hold files and folders only")
            unpacked.add(entry.file_size)
            target = folder / path
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as content, target.open("xb") as file:
                shutil.copyfileobj(content, file, _CHUNK)  # at most as much as the entry says
            if (entry.external_attr >> 16) & 0o100:
                target.chmod(0o755)
