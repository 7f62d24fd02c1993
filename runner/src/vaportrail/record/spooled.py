"""A run's records as they lie in its spool: what the sealer and the reader of a live run see."""

from __future__ import annotations

from collections.abc import Iterator

from vaportrail.record.otlp import Record, Resource
from vaportrail.storage.store import Store
from vaportrail.telemetry.spool import read_header, read_spool

__all__ = ["read_lines", "spooled_records"]


def read_lines(store: Store, path: str, size: int | None = None) -> Iterator[bytes]:
    """Yield the lines of the first `size` bytes of a file (all of it where None), ends included."""
    rest, left = b"", size
    for chunk in store.chunks(path):
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"
        if left == 0:
            break
    if rest:
        yield rest


def spooled_records(store: Store, path: str, size: int | None = None) -> Iterator[Record]:
    """Yield the whole records of one process's spool file, duplicates taken out by their number."""
    lines = read_lines(store, path, size)
    header = read_header(next(lines, b""))
    if header is None:
        return
    resource = Resource(header.resource)
    seen: set[int] = set()
    for line in read_spool(lines):
        if line.seq not in seen:
            seen.add(line.seq)
            yield Record(line.kind, resource, line.scope, line.record)
