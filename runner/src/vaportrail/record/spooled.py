"""A run's records as they lie in its spool: what the sealer and the reader of a live run see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vaportrail.errors import RecordError
from vaportrail.record.numbers_seen import Ranges
from vaportrail.record.otlp_lines import RECORD_LIMIT, Record, Resource, sound_record
from vaportrail.record.sound import Unsound, parse
from vaportrail.record.unpacked import bounded_lines
from vaportrail.storage.store import Store, open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import Header, read_header, whole_line

__all__ = ["WRITER", "first_pieces", "live_records", "sound_header", "spooled_records"]

WRITER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""What a process may be called: its files are."""
_SEALER: Final = "sealer"
_OUTSIDE: Final = 64 * 2**10
"""Bytes of a line beside the record in it."""


def first_pieces(pieces: Iterator[bytes], size: int | None) -> Iterator[bytes]:
    """Yield the first `size` bytes of a file in pieces, all of it where None."""
    left = size
    for piece in pieces:
        if left is None:
            yield piece
            continue
        yield piece[:left]
        left -= min(left, len(piece))
        if not left:
            return


def sound_header(line: bytes, writer: str, uid: str | None = None) -> Header | None:
    """Return what the first line of a spool file says of its process, or None where it cannot be believed.

    Args:
        line: the first line.
        writer: how the file is called.
        uid: of the run that it has to belong to, if that is known.
    """
    try:
        parse(line)
        header = read_header(line)
        if header is None or type(header.resource) is not dict:
            return None
        named = Resource(header.resource).named
    except (Unsound, RecursionError):
        return None
    sound = (
        header.writer == writer == named.get(c.WRITER_ID)
        and WRITER.fullmatch(writer) is not None
        and header.role == named.get(c.WRITER_ROLE)
        and type(header.role) is str
        and type(header.started_unix_nano) is int
        and 0 <= header.started_unix_nano < 2**64
        # The sealer adds to a spool, and never writes one.
        and _SEALER not in (writer, header.role)
        and uid in (None, named.get(c.PIPELINE_RUN_ID))
    )
    return header if sound else None


def spooled_records(
    store: Store, path: str, size: int | None = None, unsound: Callable[[str], None] = lambda why: None
) -> Iterator[Record]:
    """Yield the whole records of one process's spool file, duplicates taken out by their number.

    Args:
        store: where it lies.
        path: of the file.
        size: how many bytes of it count; all where None.
        unsound: told why, of each line that is whole and holds no record. A line that was torn is
            known by its process's count.
    """

    def too_long(length: int) -> None:
        unsound(f"a line of {length} bytes")

    pieces = first_pieces(store.chunks(path), size)
    lines = bounded_lines(pieces, too_long, limit=RECORD_LIMIT + _OUTSIDE)
    writer = path.rpartition("/")[2].rpartition(".")[0]
    header = sound_header(next(lines, b""), writer)
    if header is None:
        return
    resource = Resource(header.resource)
    seen = Ranges()
    for line in lines:
        found = whole_line(line)
        if found is None:
            continue
        seq, kind, scope, raw = found
        if seq in seen:
            continue
        try:
            record = sound_record(kind, resource, scope, parse(raw), raw)
            if record.attributes.get(c.SEQ) != seq:
                raise Unsound(f"record {seq} has another number within")
        except Unsound as error:
            unsound(str(error))
            continue
        seen.add(seq)
        yield record


def live_records(spool: Path, problem: Callable[[str], None] | None = None) -> Iterator[Record]:
    """Yield what is in a spool folder so far; `problem` is told what cannot be read."""
    say = problem or (lambda _message: None)
    store = open_store(str(spool))
    for path, _ in store.entries(""):
        if path.endswith(".spool"):

            def unsound(why: str, path: str = path) -> None:
                say(f"{path}: {why}")

            try:
                yield from spooled_records(store, path, None, unsound)
            except RecordError as error:
                say(str(error))
