"""Sorting more than fits into memory: in blocks, each kept in a file once there is more than one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import IO, Any, Final

from pydantic_core import from_json, to_json

__all__ = ["in_order"]

BLOCK_ENTRIES: Final = 50_000
BLOCK_CHARACTERS: Final = 16 * 2**20
"""Of the texts in a block."""
_READ_BYTES: Final = 64 * 2**10
Entry = tuple[tuple[Any, ...], list[Any]]


def in_order(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries sorted by their keys, with the memory of one block.

    Args:
        entries: a key, and what goes with it: numbers, texts and None.
    """
    block: list[Entry] = []
    size = 0
    file: IO[bytes] | None = None
    runs: list[tuple[int, int]] = []
    try:
        for entry in entries:
            block.append(entry)
            size += sum(len(part) for part in entry[1] if isinstance(part, str))
            if len(block) >= BLOCK_ENTRIES or size >= BLOCK_CHARACTERS:
                if file is None:
                    file = tempfile.TemporaryFile(prefix="vaportrail-sorted-")  # noqa: SIM115 (closed below)
                runs.append(_keep(block, file))
                block, size = [], 0
        block.sort(key=_key)
        if file is None:
            yield from block
        else:
            kept = [_read(file, *run) for run in runs]
            yield from merge(*kept, block, key=_key)
    finally:
        if file is not None:
            file.close()


def _key(entry: Entry) -> tuple[Any, ...]:
    return entry[0]


def _keep(block: list[Entry], file: IO[bytes]) -> tuple[int, int]:
    """Write a block in its order; return where it begins and ends."""
    start = file.tell()
    block.sort(key=_key)
    file.writelines(to_json(entry, inf_nan_mode="constants") + b"\n" for entry in block)
    return start, file.tell()


def _read(file: IO[bytes], at: int, end: int) -> Iterator[Entry]:
    rest = b""
    while at < end:
        file.seek(at)
        piece = file.read(min(_READ_BYTES, end - at))
        at += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            key, parts = from_json(line)
            yield tuple(key), parts
