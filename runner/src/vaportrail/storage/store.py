"""One small protocol over folders, S3, Azure and Google Cloud Storage (through `obstore`).

The one promise that everything rests on is `create`: whoever comes second is told so, and nothing
is ever overwritten. `probe` finds stores that ignore the condition before a run trusts one.

A store that falls silent is given up after a bounded time, however large the object: what is limited
is the silence of a read, and the time of an upload by its size. Signals are heard meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, from_url

from vaportrail.errors import RecordError, RecordNotFound, UsageError
from vaportrail.storage import local_entries
from vaportrail.storage.certificate import certificate_problem
from vaportrail.storage.interruptible import interruptibly
from vaportrail.storage.own_keys import open_with_own_keys
from vaportrail.storage.record_root import is_remote, normalise_root
from vaportrail.storage.regular import read_pieces, read_regular
from vaportrail.storage.store_errors import Translate, is_connect_timeout, is_outage
from vaportrail.storage.store_settings import access_to

__all__ = ["ObjectStore", "Store", "is_outage", "is_remote", "normalise_root", "open_store"]

_CHUNK = 4 * 2**20
CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""How long a store may be silent within a request; one under load takes seconds for its answer."""
RETRY_SECONDS: Final = 60.0
"""After how long a request is not tried again."""
_TRIES: Final = 1000
"""More than fit into that time, so that it is the time that counts: obstore's own 10 end in seconds."""
SLOWEST: Final = 128 * 2**10
"""Bytes per second that an upload has on the slowest line: while it goes on, the store is silent."""
_LARGE: Final = 2**20
_CLEAN_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.2
_PIECE: Final = 5 * 2**20
_PIECES_AT_ONCE: Final = 4
_WHOLE: Final = timedelta(days=1)
"""Of a request in all: obstore's own 30 s would end a large download that goes well."""
_UNFINISHED: Final = re.compile(r"(.+)#\d+")
"""What obstore calls a file of a folder until all of it is written."""
_Result = TypeVar("_Result")


class Store(Protocol):
    """What the record needs of a place to lie in; paths are relative and use `/`."""

    def create(self, path: str, content: bytes | Path) -> bool:
        """Write `path` unless it exists; return whether this call made it."""
        ...

    def put_stream(self, path: str, source: Path, sha256: str) -> None:
        """Write a file of any size in parts; nothing stands there until all of it had that SHA-256."""
        ...

    def get(self, path: str, limit: int | None = None) -> bytes:
        """Return all bytes of `path`, if they are `limit` at most.

        Raises:
            RecordNotFound: there is nothing.
            RecordError: there are more, or they cannot be read.
        """
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of `path` in pieces."""
        ...

    def entries(self, prefix: str) -> list[tuple[str, int]]:
        """Return path and size of everything below the folder `prefix`, sorted by path."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below the folder `prefix`, sorted.

        Names that cannot be printed are left out: no folder of a record has one.
        """
        ...

    def size(self, path: str) -> int | None:
        """Return the size of `path` in bytes, or None where there is no file."""
        ...

    def delete(self, path: str) -> None:
        """Remove `path`; nothing happens where there is nothing."""
        ...

    def delete_all(self, paths: Sequence[str]) -> None:
        """Remove all `paths`, with one request where the store can; some may be gone already."""
        ...


class ObjectStore:
    """A `Store` over any of obstore's stores.

    Args:
        inner: obstore's store.
        uri: the root, as it is called in messages.
        folder: the root where it is a folder; it is then listed as it is, because obstore passes
            over names that it might have made itself.
        patient: opens the same store with another limit to its silence, in seconds.
        once: opens it so that it tries no request again.
    """

    def __init__(
        self,
        inner: Any,
        uri: str,
        folder: Path | None = None,
        patient: Callable[[float], Any] | None = None,
        once: Callable[[], Any] | None = None,
    ) -> None:
        self._inner = inner
        self.uri = uri
        self._folder = folder
        self._patient = patient
        self._once = once

    def create(self, path: str, content: bytes | Path) -> bool:
        raw = content if isinstance(content, bytes) else content.read_bytes()
        inner = self._for_upload(len(raw))
        put = partial(obstore.put, inner, path, raw, mode="create", use_multipart=False)

        def create() -> bool:
            with self._errors("write", path):
                try:
                    self._do(put)
                except (AlreadyExistsError, PreconditionError):
                    return False
            return True

        return _patiently(create)

    def put_stream(self, path: str, source: Path, sha256: str) -> None:
        inner = self._for_upload(min(source.stat().st_size, _PIECE * _PIECES_AT_ONCE))
        put = partial(obstore.put, chunk_size=_PIECE, max_concurrency=_PIECES_AT_ONCE)

        def write() -> None:
            with self._errors("write", path):
                self._do(lambda: put(inner, path, _pieces(source, sha256, path)))

        _patiently(write)

    def get(self, path: str, limit: int | None = None) -> bytes:
        with self._errors("read", path):
            if self._folder is not None:
                return read_regular(self._folder / local_entries.below(path), limit)
            return self._do(lambda: _whole(obstore.get(self._inner, path), limit))

    def chunks(self, path: str) -> Iterator[bytes]:
        with self._errors("read", path):
            if self._folder is not None:
                yield from read_pieces(self._folder, local_entries.below(path), _CHUNK)
                return
            found = self._do(lambda: obstore.get(self._inner, path).stream(min_chunk_size=_CHUNK))
            pieces = iter(found)
            while (chunk := self._do(lambda: next(pieces, None))) is not None:
                yield bytes(chunk)

    def entries(self, prefix: str) -> list[tuple[str, int]]:
        if self._folder is not None:
            return sorted(local_entries.files(self._folder, self._folder / prefix))

        def listed() -> list[tuple[str, int]]:
            pages = obstore.list(self._inner, prefix=prefix)
            return [(str(item["path"]), int(item["size"])) for page in pages for item in page]

        with self._errors("list", prefix):
            return sorted(self._do(listed))

    def folders(self, prefix: str) -> list[str]:
        with self._errors("list", prefix):
            if self._folder is not None:
                names = local_entries.folders(self._folder / prefix)
            else:
                found = self._do(partial(obstore.list_with_delimiter, self._inner, prefix=prefix))
                names = [str(item).rstrip("/").rpartition("/")[2] for item in found["common_prefixes"]]
        return sorted(name for name in names if name.isprintable())

    def size(self, path: str) -> int | None:
        try:
            with self._errors("read", path):
                if self._folder is not None:
                    return local_entries.regular_size(self._folder / local_entries.below(path))
                return int(self._do(partial(obstore.head, self._inner, path))["size"])
        except RecordNotFound:
            return None

    def delete(self, path: str) -> None:
        try:
            with self._errors("delete", path):
                self._do(partial(obstore.delete, self._inner, path))
        except RecordNotFound:
            return

    def delete_all(self, paths: Sequence[str]) -> None:
        if not paths:
            return
        try:
            with self._errors("delete", paths[0]):
                self._do(partial(obstore.delete, self._inner, list(paths)))
        except RecordNotFound:
            # A store may stop at what somebody else has removed.
            for path in paths:
                self.delete(path)

    def discard_unfinished(self, names: re.Pattern[str], prefix: str = "") -> None:
        """Remove what writes left that their process did not live to finish; only folders have that.

        What is still being written is removed, too: its writer is told that it failed.

        Args:
            names: the paths that were to be written; what is named otherwise stays.
            prefix: the folder to look in.
        """
        if self._folder is None:
            return
        with self._errors("clean", prefix):
            for path, _ in local_entries.files(self._folder, self._folder / prefix):
                unfinished = _UNFINISHED.fullmatch(path)
                if unfinished is not None and names.fullmatch(unfinished[1]):
                    (self._folder / path).unlink(missing_ok=True)

    def knock(self, path: str) -> None:
        """Ask the store once, and say what no other try would mend: a certificate that is not trusted.

        Raises:
            RecordError: names the certificate. All else is for a request that counts to find out.
        """
        if self._once is None:
            return
        try:
            self._do(partial(obstore.head, self._once(), path))
        except (BaseError, OSError, ValueError) as error:
            if problem := certificate_problem(error):
                raise RecordError(f"cannot reach {self.uri.rstrip('/')}/{path}: {problem}") from error

    def _do(self, call: Callable[[], _Result]) -> _Result:
        # A folder answers at once, or nothing would hear of it either.
        return call() if self._folder is not None else interruptibly(call)

    def _for_upload(self, size: int) -> Any:
        if self._patient is None or size <= _LARGE:
            return self._inner
        return self._patient(SILENCE_SECONDS + size / SLOWEST)

    def _errors(self, verb: str, path: str) -> Translate:
        return Translate(verb, f"{self.uri.rstrip('/')}/{path}")


def _patiently(call: Callable[[], _Result]) -> _Result:
    """Make a call again where the store did not take its connection in time, for as long as any other.

    obstore does that for what changes nothing, only.
    """
    begun = time.monotonic()
    while True:
        try:
            return call()
        except RecordError as error:
            if not is_connect_timeout(error) or time.monotonic() - begun >= RETRY_SECONDS:
                raise
        pause_between_tries()


def pause_between_tries() -> None:
    """Wait before a connection is tried again."""
    time.sleep(_PAUSE_SECONDS)


def _pieces(source: Path, sha256: str, path: str) -> Iterator[bytes]:
    """Yield the bytes of a file; an error in place of the end, where they are not those, ends the write."""
    digest = hashlib.sha256()
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != sha256:
        raise RecordError(f"the file behind {path} changed while it was being stored; log it again")


def _whole(found: Any, limit: int | None) -> bytes:
    if limit is not None and found.meta["size"] > limit:
        raise OSError(f"it has more than {limit} bytes, which no file of its kind has")
    return bytes(found.bytes())


def open_store(root: str, *, create: bool = False) -> ObjectStore:
    """Open the store at `root`, a folder or a URI such as ``s3://bucket/prefix``.

    Credentials, region and endpoint come from the environment, by the names that each provider's
    own tools use (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …). In a pod of a run its own bucket has
    settings of its own: see `store_settings`.

    Args:
        root: as `normalise_root` returns it.
        create: make the folder if it is missing.
    """
    if not is_remote(root):
        path = Path(root)
        if create:
            path.mkdir(parents=True, exist_ok=True)
        elif not path.is_dir():
            raise RecordNotFound(f"there is no folder {root}")
        return ObjectStore(LocalStore(path), str(path), path)
    patient = partial(_open, root)
    try:
        once = partial(_open, root, CONNECT_SECONDS, tries=0)
        return ObjectStore(patient(SILENCE_SECONDS), root, patient=patient, once=once)
    except (BaseError, ValueError) as error:
        raise UsageError(f"cannot open record root {root!r}: {error}") from error


def _open(root: str, silence: float, *, tries: int = _TRIES) -> Any:
    """Open obstore's store at a URI.

    Args:
        root: the URI.
        silence: how long it may be silent within a request, in seconds.
        tries: how often a request is tried again.
    """
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=silence),
        "timeout": _WHOLE,
    }
    retry = {"retry_timeout": timedelta(seconds=RETRY_SECONDS), "max_retries": tries}
    if (access := access_to(root)) is not None:
        return open_with_own_keys(root, access, client, retry_config=retry)
    if os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://"):
        client["allow_http"] = True
    limits: dict[str, Any] = {"client_options": client, "retry_config": retry}
    return from_url(root, **limits)
