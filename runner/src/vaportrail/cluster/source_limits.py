"""How large a source may be, packed and unpacked: more could not be handed to the workers anyhow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ENTRY_LIMIT", "PACKED_LIMIT", "UNPACKED_LIMIT", "Unpacked"]

PACKED_LIMIT: Final = 512 * 2**20
"""Bytes."""
UNPACKED_LIMIT: Final = 2 * 2**30
"""Bytes."""
ENTRY_LIMIT: Final = 100_000


@dataclass(slots=True)
class Unpacked:
    """What was unpacked so far."""

    entries: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """Count one entry of so many bytes.

        Raises:
            ValueError: it is too much; the message says how much may be there.
        """
        self.entries += 1
        self.size += size
        if self.entries > ENTRY_LIMIT or self.size > UNPACKED_LIMIT:
            raise ValueError(
                f"it holds more than {UNPACKED_LIMIT} bytes or {ENTRY_LIMIT} files; keep data out of it"
            )
