"""How far a shipper has brought one process's files: kept beside them, for one that starts again.

A mark is a line, `CRC32 SP JSON LF`, at the start of its file. What follows the line is left over
from a longer one.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Final

from vaportrail.telemetry.output import Stream
from vaportrail.telemetry.spool import compact

__all__ = ["MARK_LIMIT", "MARK_SUFFIX", "Mark", "read_mark"]

MARK_SUFFIX: Final = "shipped"
MARK_LIMIT: Final = 64 * 1024
"""Bytes of a file that may be its mark; a usual one has some hundred."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whatever comes before it is stored, or was refused for good.

    Attributes:
        header: bytes of the spool's first line. It is never released: it says whose the records are.
        offset: bytes of the spool.
        read: bytes of the output that are on record.
        attempt: the attempt that ran then; see `OutputWatch`.
        sent: number of the shipper's own last record that the seal tells from others by it.
        last: when the last record was made, nanoseconds since the epoch.
    """

    header: int
    offset: int
    read: dict[Stream, int]
    attempt: dict[str, Any]
    sent: int
    last: int

    def to_line(self) -> bytes:
        """Return the mark as `read_mark` reads it."""
        body = compact(asdict(self)).encode()
        return b"%08x %b\n" % (zlib.crc32(body), body)


def read_mark(raw: bytes) -> Mark | None:
    """Return the mark at the start of `raw`, or None where there is no whole one."""
    crc, _, body = raw.partition(b"\n")[0].partition(b" ")
    try:
        return Mark(**json.loads(body)) if int(crc, 16) == zlib.crc32(body) else None
    except (ValueError, TypeError):
        return None
