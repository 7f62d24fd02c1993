"""One process's files in the spool, on their way out: what was not sent yet, as entries of a batch.

Pure but for the files that it is given. How far all is stored is kept beside them, and what comes
before that is released: a shipper that starts again begins there. What it then sends a second time
the seal takes out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from vaportrail.contract.otlp_signals import IN_LEDGERS, Kind
from vaportrail.shipper.lines import Readable, SpoolLines
from vaportrail.shipper.mark import MARK_LIMIT, MARK_SUFFIX, Mark, read_mark
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.otlp_json import log_record
from vaportrail.telemetry.output import OWNERS, SEVERITY, SUFFIX, OutputWatch, Stream
from vaportrail.telemetry.secret_digests import DIGESTS, DIGESTS_LIMIT, SecretDigests, Withheld, read_digests
from vaportrail.telemetry.spool import (
    LEDGER_BYTES,
    Header,
    Ledger,
    compact,
    read_header,
    read_ledger,
    whole_line,
)
from vaportrail.telemetry.values import attributes, read_attributes
from vaportrail.version import __version__

__all__ = ["Entry", "Feed", "Files"]

PIECE: Final = 1 << 20
"""Bytes of raw output that are turned into records at once."""
RELEASE_BYTES: Final = 64 * 1024
"""What is released of a file at a time, while more comes."""
QUIET_LOOKS: Final = 5
"""After so many looks that found nothing new the rest of it is released, too."""
_TELLS: Final = tuple(name.encode() for name in (c.STREAM_OFFSET, *OWNERS))
"""What stands in records that say how much of the output is on record."""
# A quotation mark within a text would follow a backslash.
_TIME: Final = re.compile(rb'"(?:endTimeUnixNano|timeUnixNano)":"(\d+)"')
_RUNNER: Final = "runner"


class Files(Readable, Protocol):
    """The spool on disk; paths are relative to it."""

    def writers(self) -> list[str]:
        """Return the paths of all `.spool` files without their ending, sorted."""
        ...

    def size(self, path: str) -> int:
        """Return how long a file is, what was released of it included; 0 where there is none."""
        ...

    def keep(self, path: str, raw: bytes) -> None:
        """Write the start of a small file anew; raises `OSError`."""
        ...

    def release(self, path: str, start: int, end: int) -> None:
        """Give a file's bytes from `start` to `end` back to the disk; raises `OSError`."""
        ...


class Entry(NamedTuple):
    """One record on its way: its signal, its process as JSON, its scope, itself as JSON."""

    kind: Kind
    resource: bytes
    scope: str
    body: bytes


@dataclass(slots=True)
class _Sender:
    """The shipper's own records about one process, numbered from 1 in an order that repeats."""

    writer: str
    resource: bytes
    seq: int = 0

    @classmethod
    def about(cls, writer: str, header: Header | None) -> _Sender:
        known = read_attributes(header.resource.get("attributes", [])) if header is not None else {}
        kept = {key: known.get(key) for key in (c.PIPELINE_NAME, c.PIPELINE_RUN_ID, c.HOST_NAME)}
        own = {
            c.SERVICE_NAME: "vaportrail",
            c.SERVICE_VERSION: __version__,
            **kept,
            c.WRITER_ID: f"shipper-of-{writer}",
            c.WRITER_ROLE: "shipper",
        }
        return cls(writer, compact({"attributes": attributes(own)}).encode())

    def numbered(self, values: dict[str, Any]) -> dict[str, Any]:
        self.seq += 1
        return {**values, c.SEQ: self.seq}

    def entry(self, scope: str, record: dict[str, Any]) -> Entry:
        return Entry("L", self.resource, scope, compact(record).encode())


class Feed:
    """Reads on in one process's files.

    Args:
        path: of its files in the spool, without their ending.
        files: reads them.
        clock: nanoseconds since the epoch.
        passed_over: told why, of each record that cannot be given out.
    """

    __slots__ = (
        "_clock", "_files", "_head", "_header", "_last", "_lines", "_looked", "_mark", "_path", "_quiet",
        "_read_to", "_released", "_resource", "_sender", "_streams", "_watch", "finished",
    )  # fmt: skip

    def __init__(
        self, path: str, files: Files, clock: Callable[[], int], passed_over: Callable[[str], None]
    ) -> None:
        self._path, self._files, self._clock = path, files, clock
        self._lines = SpoolLines(f"{path}.spool", files, 0, passed_over)
        self._head = 0
        self._header: Header | None = None
        self._resource = b""
        self._sender = _Sender.about(path.rpartition("/")[2], None)
        self._watch = OutputWatch()
        self._streams: list[Stream] = sorted(SUFFIX)
        self._last = 0
        self.finished = False
        """Whether all there will ever be was given out, the last count included."""
        self._released: dict[str, int] = {}
        self._read_to = -1
        """How long the spool was when nothing whole was left of it."""
        self._looked = False
        self._quiet = 0
        self._mark = read_mark(files.read(f"{path}.{MARK_SUFFIX}", 0, MARK_LIMIT))
        if self._mark is not None:
            self._resume(self._mark)

    def take(self, size: int, *, final: bool) -> Iterator[Entry]:
        """Yield what comes next, about `size` bytes of it; nothing where there is nothing yet.

        Args:
            size: bytes to read of the spool.
            final: nobody writes any more. Then the output that its process had no time to record
                follows the records, and the exact count follows that.
        """
        if self.finished:
            return
        length = self._files.size(f"{self._path}.spool")
        if length == self._read_to and not final:
            return
        self._looked = True
        # Read before the records: whatever it counts had been written, or never will be.
        counted, ledger = self._clock(), self._ledger()
        entries, rest = self._records(size)
        yield from entries
        if not rest:
            self._read_to = length
        if not final:
            if entries and ledger is not None:
                yield self._count(ledger, "unknown", counted)
            return
        if rest:
            return
        while self._streams:
            raw = self._output(self._streams[0])
            if raw:
                yield from self._recover(self._streams[0], raw)
                return
            self._streams.pop(0)
        self.finished = True
        ledger = self._ledger()
        if ledger is not None:
            yield self._count(ledger, "exact", counted)

    def sign_of_life(self) -> Entry | None:
        """Return the runner's count again, though nothing is new; None for another process."""
        if self._header is None or self._header.role != _RUNNER:
            return None
        counted, ledger = self._clock(), self._ledger()
        return self._count(ledger, "unknown", counted) if ledger is not None else None

    def stored(self) -> None:
        """Take note that all that was given out is stored, and release it.

        Raises:
            OSError: the disk takes no note, or gives no space back; nothing is lost by that.
        """
        if self._header is None:
            return
        if not self._looked:
            self._quiet += 1
            if self._quiet == QUIET_LOOKS:
                self._release(1)
            return
        watch = self._watch
        mark = Mark(
            self._head,
            self._lines.offset,
            dict(watch.read),
            dict(watch.attempt),
            self._sender.seq,
            self._last,
        )
        if mark != self._mark:
            self._files.keep(f"{self._path}.{MARK_SUFFIX}", mark.to_line())
            self._mark, self._quiet = mark, 0
            self._release(RELEASE_BYTES)
        self._looked = False

    def _release(self, least: int) -> None:
        """Release what comes before the mark in each file where that is `least` bytes more than before."""
        if self._mark is None:
            return
        stretches = {"spool": (self._mark.header, self._mark.offset)}
        stretches |= {SUFFIX[stream]: (0, read) for stream, read in self._mark.read.items()}
        for suffix, (start, end) in stretches.items():
            if end - self._released.get(suffix, start) >= least:
                self._files.release(f"{self._path}.{suffix}", start, end)
                self._released[suffix] = end

    def _resume(self, mark: Mark) -> None:
        """Go on where a shipper before this one came to."""
        self._begin(read_header(self._files.read(f"{self._path}.spool", 0, mark.header)))
        self._head, self._lines.offset = mark.header, mark.offset
        self._watch = OutputWatch(dict(mark.read), dict(mark.attempt))
        self._sender.seq, self._last = mark.sent, mark.last

    def left(self) -> int:
        """Return how many bytes of the spool were not given out yet."""
        return self._lines.left()

    def _records(self, size: int) -> tuple[list[Entry], bool]:
        """Return the next records, and whether whole lines may be left."""
        begins = self._lines.offset == 0
        raw = self._lines.next(size)
        rest = bool(raw)
        if begins and raw:
            first, _, raw = raw.partition(b"\n")
            self._head = len(first) + 1
            self._begin(read_header(first))
        entries: list[Entry] = []
        if self._header is not None:
            for line in raw.split(b"\n"):
                found = whole_line(line)
                if found is not None:
                    _, kind, scope, body = found
                    self._see(kind, body)
                    entries.append(Entry(kind, self._resource, scope, body))
            if entries:
                self._last = _time(entries[-1].body) or self._last
        return entries, rest

    def _begin(self, header: Header | None) -> None:
        self._header = header
        if header is not None:
            self._resource = compact(header.resource).encode()
            self._sender = _Sender.about(header.writer, header)
            self._last = header.started_unix_nano

    def _see(self, kind: Kind, body: bytes) -> None:
        attempt = self._watch.attempt
        ends = kind == "T" and attempt and attempt["spanId"].encode() in body
        if ends or (kind == "L" and any(mark in body for mark in _TELLS)):
            record = json.loads(body)
            self._watch.see(kind, record, read_attributes(record.get("attributes", [])))

    def _output(self, stream: Stream) -> bytes:
        path = f"{self._path}.{SUFFIX[stream]}"
        return self._files.read(path, self._watch.read.get(stream, 0), PIECE)

    def _recover(self, stream: Stream, raw: bytes) -> Iterator[Entry]:
        now = self._clock()
        rest = self._watch.rest(
            self._sender.writer, stream, raw, final=len(raw) < PIECE, secrets=self._secrets()
        )
        for each in rest:
            record = log_record(
                each.text,
                self._sender.numbered(each.values),
                unix_nano=self._last,
                observed_unix_nano=now,
                severity=SEVERITY[stream],
                trace_id=each.trace_id,
                span_id=each.span_id,
            )
            yield self._sender.entry(stream, record)

    def _secrets(self) -> SecretDigests | Withheld | None:
        raw = self._files.read(f"{self._path}.{DIGESTS}", 0, DIGESTS_LIMIT + 1)
        return (read_digests(raw) or Withheld()) if raw else None

    def _ledger(self) -> Ledger | None:
        return read_ledger(self._files.read(f"{self._path}.ledger", 0, LEDGER_BYTES + 1))

    def _count(self, ledger: Ledger, state: str, unix_nano: int) -> Entry:
        values = {
            c.LEDGER_WRITER: self._sender.writer,
            c.LEDGER_STATE: state,
            c.LEDGER_COUNTED_AT: unix_nano,
            **{signal.counter: ledger[signal.kind] for signal in IN_LEDGERS},
        }
        record = log_record(
            None, values, unix_nano=unix_nano, observed_unix_nano=unix_nano, event=c.EVENT_LEDGER
        )
        return self._sender.entry(c.SCOPE, record)


def _time(body: bytes) -> int:
    found = _TIME.search(body)
    return int(found[1]) if found else 0
