"""Bytes of a store as lines, unpacked where they are packed; no file has to fit into memory.

A small file may unpack to anything. So lines have a limit, and what is longer is passed over and told.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from vaportrail.errors import RecordError

__all__ = [
    "LINE_LIMIT",
    "UNPACKED_LIMIT",
    "Damaged",
    "bounded_blocks",
    "bounded_lines",
    "lines_of",
    "unpacked",
]

LINE_LIMIT: Final = 32 * 2**20
"""Bytes of a line of a record, or of a part: more than any of ours has."""
UNPACKED_LIMIT: Final = 4 * 2**30
"""Bytes that a file of a record may unpack to; ours are closed before."""
_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 2**20
_TAKEN: Final = 2**16
"""Packed bytes that are taken at once: what is left of them is copied for each member and each `_PIECE`."""


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
    yield from _gunzip(whole, limit) if head[:2] == _GZIP else _within(whole, limit)


def _not_empty(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return (piece for piece in pieces if piece)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _within(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if limit is not None and size > limit:
            raise Damaged(f"it has more than {limit >> 20} MiB")
        yield piece


def _gunzip(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    begun, size = False, 0
    for raw in (piece[at : at + _TAKEN] for piece in pieces for at in range(0, len(piece), _TAKEN)):
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
    for block in bounded_blocks(pieces, too_long, limit=limit):
        yield from lines_of(block)


def bounded_blocks(
    pieces: Iterable[bytes], too_long: Callable[[int], None], *, limit: int = LINE_LIMIT
) -> Iterator[bytes]:
    """Yield the same lines, as many of them at once as a piece holds."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        last = piece.rfind(b"\n") + 1
        if last:
            first = piece.index(b"\n") + 1
            size += first
            if size <= limit:
                yield b"".join([*parts, piece[:first]])
            else:
                too_long(size)
            yield from _short_lines(piece[first:last], too_long, limit)
            parts, size = [], 0
        size += len(piece) - last
        if size > limit:
            parts = []
        elif last < len(piece):
            parts.append(piece[last:] if last else piece)
    if size > limit:
        too_long(size)
    elif size:
        yield b"".join(parts)


def lines_of(block: bytes) -> Iterator[bytes]:
    """Yield the lines of some bytes, their ends included; the last one may have none."""
    *lines, rest = block.split(b"\n")
    yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _short_lines(block: bytes, too_long: Callable[[int], None], limit: int) -> Iterator[bytes]:
    if len(block) <= limit:
        if block:
            yield block
        return
    for line in lines_of(block):
        if len(line) <= limit:
            yield line
        else:
            too_long(len(line))
