"""Blocks of bytes that may be more than fit into memory: the first as they are, the others packed. Pure.

What unpacks to a multiple of itself packs again, so that a record takes no more memory than it is large.
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["KeptBlocks"]

_LEVEL: Final = 1


class KeptBlocks:
    """A list of blocks.

    Args:
        plain_bytes: of the first blocks, which are kept as they are.

    >>> kept = KeptBlocks(plain_bytes=3)
    >>> for block in (b"one", b"two", b"three"):
    ...     kept.append(block)
    >>> len(kept), kept[1], list(kept)
    (3, b'two', [b'one', b'two', b'three'])
    """

    def __init__(self, plain_bytes: int) -> None:
        self._left = plain_bytes
        self._plain: list[bytes] = []
        self._packed: list[bytes] = []
        self._last: tuple[int, bytes] = (-1, b"")

    def append(self, block: bytes) -> None:
        if not self._packed and len(block) <= self._left:
            self._left -= len(block)
            self._plain.append(block)
        else:
            self._packed.append(zlib.compress(block, _LEVEL))

    def __len__(self) -> int:
        return len(self._plain) + len(self._packed)

    def __getitem__(self, at: int) -> bytes:
        if at < len(self._plain):
            return self._plain[at]
        last = self._last  # read once: another thread may put its own there
        if last[0] != at:
            self._last = last = at, zlib.decompress(self._packed[at - len(self._plain)])
        return last[1]
