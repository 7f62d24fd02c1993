"""Records of one thread that are written by one `write(2)`, which costs a fraction of one for each."""

from __future__ import annotations

from typing import Final

from vaportrail.contract.otlp_signals import Kind
from vaportrail.telemetry.spool import Make, Writer

__all__ = ["Batch"]

_LARGE: Final = 1 << 18
"""Bytes."""
_TOGETHER: Final = 64
"""Lines of one write: all that a full disk has left would be put together anew each time."""


class Batch:
    """Takes records, made but not yet written.

    What is killed before `write` is as if it had not been made: the ledger counts as it begins.

    Args:
        writer: where they go.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lines: list[bytes] = []
        self._uncounted: list[Kind] = []
        self._bytes = 0

    @property
    def is_large(self) -> bool:
        """Whether it is to be written before more is made."""
        return self._bytes >= _LARGE

    def append(self, kind: Kind, scope: str, make: Make) -> None:
        """Make a record; see `Writer.append`."""
        line = self._writer.line(kind, scope, make)
        self._lines.append(line)
        self._uncounted.append(kind)
        self._bytes += len(line)

    def write(self) -> None:
        """Write what was made since the last time, and what could not be written then.

        Raises:
            SpoolError: the disk is full or gone.
        """
        lines, self._lines = self._lines, []
        kinds, self._uncounted = self._uncounted, []
        self._bytes = 0
        if not lines:
            return
        self._writer.count(kinds)
        try:
            while lines:
                together = lines[:_TOGETHER]
                try:
                    self._writer.write(together)
                finally:
                    lines[:_TOGETHER] = together
        finally:
            # Another thread may have come in the place of this one while it was held up.
            self._lines[:0] = lines
