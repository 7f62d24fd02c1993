"""An archive with a run's code: fetched, checked against its hash, unpacked without trusting it."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import Final
from urllib.error import URLError

from vaportrail.errors import RecordError, UsageError
from vaportrail.handover import ArchiveSource
from vaportrail.storage.store import open_store
from vaportrail.version import __version__

__all__ = ["fetch_archive"]

PACKED_LIMIT: Final = 512 * 2**20
"""Bytes; more cannot be handed to the workers anyhow."""
UNPACKED_LIMIT: Final = 2 * 2**30
ENTRY_LIMIT: Final = 100_000
_TARS: Final = (".tar.gz", ".tgz", ".tar")
_CHUNK: Final = 2**20
_REPLY_SECONDS: Final = 60.0


def fetch_archive(source: ArchiveSource, folder: Path) -> None:
    """Unpack an archive into `folder`, which is made.

    Raises:
        UsageError: it cannot be had, is not what its hash says, or would write outside of `folder`.
    """
    name = source.uri.partition("?")[0].rpartition("/")[2]
    if not name.endswith((*_TARS, ".zip")):
        raise UsageError(
            f"source.archive.uri {source.uri!r} is no archive that can be unpacked; "
            f"its name must end in one of {', '.join([*_TARS, '.zip'])}"
        )
    packed = folder.with_name(f"{folder.name}.packed")
    digest = _download(source.uri, packed)
    if digest != source.sha256.lower():
        raise UsageError(
            f"source.archive.sha256 {source.sha256!r} is not the hash of {source.uri}, which is {digest}; "
            "give that if you trust what is there now"
        )
    folder.mkdir(parents=True)
    try:
        unpack = _unpack_zip if name.endswith(".zip") else _unpack_tar
        unpack(packed, folder)
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
        raise UsageError(f"source.archive.uri {source.uri!r} cannot be unpacked: {error}") from None
    packed.unlink()


def _download(uri: str, target: Path) -> str:
    """Bring an object to a file; return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as file:
            for chunk in _chunks(uri):
                size += len(chunk)
                if size > PACKED_LIMIT:
                    raise UsageError(
                        f"source.archive.uri {uri!r} has more than {PACKED_LIMIT} bytes; put data into "
                        "object storage and code into the archive"
                    )
                digest.update(chunk)
                file.write(chunk)
    except (RecordError, OSError, ValueError) as error:
        raise UsageError(f"source.archive.uri {uri!r} cannot be fetched: {_reason(error)}") from None
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
    return str(error.reason) if isinstance(error, URLError) and not hasattr(error, "code") else str(error)


def _unpack_tar(packed: Path, folder: Path) -> None:
    size = 0
    with tarfile.open(packed, "r:*") as archive:
        for count, member in enumerate(archive, 1):
            size += member.size
            _check_bounds(count, size)
            # The filter refuses absolute and outer paths, links that lead out, and devices.
            archive.extract(member, folder, filter="data")


def _unpack_zip(packed: Path, folder: Path) -> None:
    size = 0
    with zipfile.ZipFile(packed) as archive:
        for count, entry in enumerate(archive.infolist(), 1):
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
                raise ValueError(f"{entry.filename!r} lies outside of the archive")
            if S_ISLNK(entry.external_attr >> 16):
                raise ValueError(f"{entry.filename!r} is a link; a zip may hold files and folders only")
            size += entry.file_size
            _check_bounds(count, size)
            target = folder / path
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as content, target.open("xb") as file:
                shutil.copyfileobj(content, file, _CHUNK)  # at most as much as the entry says
            if (entry.external_attr >> 16) & 0o100:
                target.chmod(0o755)


def _check_bounds(count: int, size: int) -> None:
    if count > ENTRY_LIMIT or size > UNPACKED_LIMIT:
        raise ValueError(
            f"it holds more than {UNPACKED_LIMIT} bytes or {ENTRY_LIMIT} files; keep data out of it"
        )
