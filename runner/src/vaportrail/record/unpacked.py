"""Bytes of a store as lines, unpacked where they are packed; no file has to fit into memory.

A small file may unpack to anything. So lines have a limit, and what is longer is passed over and told.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from vaportrail.errors import RecordError

__all__ = ["LINE_LIMIT", "Damaged", "bounded_lines", "unpacked"]

LINE_LIMIT: Final = 32 * 2**20
"""Bytes of a line of a record, or of a part: more than any of ours has."""
UNPACKED_LIMIT: Final = 4 * 2**30
"""Bytes that a file of a record may unpack to; ours are closed before."""
_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 2**20


class Damaged(RecordError):
    """A file that cannot be read to its end; what came before is good."""


def unpacked(pieces: Iterable[bytes], *, limit: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of a file: unpacked where it begins as gzip does, else as they are.

    Args:
        pieces: the file.
        limit: bytes that it may unpack to.

    Raises:
        Damaged: it ends too early, is damaged, or unpacks to more.
    """
    found = _not_empty(pieces)
    head = b""
    while len(head) < len(_GZIP) and (piece := next(found, b"")):
        head += piece
    whole = _chain(head, found)
    yield from _gunzip(whole, limit) if head[:2] == _GZIP else whole


def _not_empty(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return (piece for piece in pieces if piece)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _gunzip(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    begun, size = False, 0
    for piece in pieces:
        raw = piece
        while raw:
            begun = True
            try:
                out = member.decompress(raw, _PIECE)
            except zlib.error as error:
                raise Damaged(f"it is damaged: {error}") from None
            if out:
                size += len(out)
                if limit is not None and size > limit:
                    raise Damaged(f"it unpacks to more than {limit >> 20} MiB")
                yield out
            if member.eof:
                raw = member.unused_data
                member, begun = zlib.decompressobj(zlib.MAX_WBITS | 16), False
            else:
                raw = member.unconsumed_tail
    if begun:
        raise Damaged("it is cut short")


def bounded_lines(
    pieces: Iterable[bytes], too_long: Callable[[int], None], *, limit: int = LINE_LIMIT
) -> Iterator[bytes]:
    """Yield the lines of a file, their ends included; the last one may have none.

    Args:
        pieces: the file.
        too_long: told the length of each line of more than `limit` bytes, which is left out.
        limit: bytes of a line.
    """
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        start = 0
        while end := piece.find(b"\n", start) + 1:
            size += end - start
            if size <= limit:
                yield b"".join([*parts, piece[start:end]])
            else:
                too_long(size)
            parts, size, start = [], 0, end
        size += len(piece) - start
        if size > limit:
            parts = []
        elif start < len(piece):
            parts.append(piece[start:] if start else piece)
    if size > limit:
        too_long(size)
    elif size:
        yield b"".join(parts)
