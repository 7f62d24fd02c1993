"""From parts, which hold what many processes made in the order it arrived, to spool files of each.

What comes out is what the processes had written: one file each, every record once, in the order of
its making; so a cluster's record is sealed by what seals a laptop's. On disk, a part at a time.
"""

from __future__ import annotations

import json
import mmap
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.record.otlp_lines import Groups, Resource, sound_record
from vaportrail.record.seal.spool_plan import RECOVERED, LedgerEntry
from vaportrail.record.sound import Unsound
from vaportrail.record.spooled import WRITER
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import Header, compact, header_line, spool_line, whole_line

__all__ = ["Demultiplexer"]

_ARRIVED: Final = ".arrived"
_SHIPPER: Final = "shipper"
_SEALER: Final = "sealer"
BUFFER_BYTES: Final = 8 * 2**20
"""How much of what has arrived is kept in memory: a part may hold all of a run."""


@dataclass(frozen=True, slots=True)
class _Process:
    role: str
    resource: Mapping[str, Any]


@dataclass(slots=True)
class Demultiplexer:
    """Takes parts one by one, then leaves spool files in a folder.

    Attributes:
        folder: where the spool files lie; nothing else may.
        counts: what writers counted, as their shippers said last.
    """

    folder: Path
    counts: dict[str, LedgerEntry] = field(default_factory=dict)
    _processes: dict[str, _Process] = field(default_factory=dict)

    def take(self, groups: Groups) -> int:
        """Take one part; return how many records of it are not ours and were left out."""
        arrived: defaultdict[str, list[bytes]] = defaultdict(list)
        size = foreign = 0
        for kind, resource, scope, bodies in groups:
            writer, process = _process(resource)
            if not WRITER.fullmatch(writer) or _SEALER in (writer, process.role):
                foreign += len(bodies)
                continue
            self._processes.setdefault(writer, process)
            for body in bodies:
                try:
                    named = sound_record(kind, resource, scope, body).attributes
                except Unsound:
                    foreign += 1
                    continue
                if process.role == _SHIPPER and body.get("eventName") == c.EVENT_LEDGER:
                    self._count(_ledger(named))
                    continue
                if c.SEQ not in named:
                    foreign += 1
                    continue
                line = spool_line(named[c.SEQ], kind, scope, compact(body))
                arrived[writer].append(line)
                size += len(line)
                if size >= BUFFER_BYTES:
                    self._write_out(arrived)
                    size = 0
        self._write_out(arrived)
        return foreign

    def _write_out(self, arrived: dict[str, list[bytes]]) -> None:
        for writer, lines in arrived.items():
            with (self.folder / f"{writer}{_ARRIVED}").open("ab") as file:
                file.writelines(lines)
        arrived.clear()

    def _count(self, said: LedgerEntry) -> None:
        known = self.counts.get(said.writer)
        if known is None or _certainty(known) < _certainty(said):
            self.counts[said.writer] = said

    def finish(self) -> None:
        """Put what has arrived in order."""
        for file in sorted(self.folder.glob(f"*{_ARRIVED}")):
            writer = file.name.removesuffix(_ARRIVED)
            process = self._processes[writer]
            ending = RECOVERED if process.role == _SHIPPER else ".spool"
            _put_in_order(file, file.with_name(writer + ending), writer, process)
            file.unlink()


def _process(resource: Resource) -> tuple[str, _Process]:
    named = resource.named
    return str(named.get(c.WRITER_ID, "")), _Process(str(named.get(c.WRITER_ROLE, "")), resource)


def _ledger(said: Mapping[str, Any]) -> LedgerEntry:
    exact = said[c.LEDGER_STATE] == "exact"
    return LedgerEntry(
        writer=said[c.LEDGER_WRITER],
        state="exact" if exact else "unknown",
        made={signal.kind: said[signal.counter] for signal in SIGNALS if signal.counter in said},
        counted_at_unix_nano=0 if exact else said.get(c.LEDGER_COUNTED_AT, 0),
    )


def _certainty(entry: LedgerEntry) -> tuple[bool, int, int]:
    return entry.state == "exact", sum(entry.made.values()), entry.counted_at_unix_nano


def _put_in_order(arrived: Path, target: Path, writer: str, process: _Process) -> None:
    """Write the lines of `arrived` by their numbers, each once; of doubles the first to arrive."""
    with (
        arrived.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines,
        target.open("wb") as ordered,
    ):
        seqs, starts = array("Q"), array("Q")
        start = 0
        while line := lines.readline():
            seqs.append(int(line.split(b" ", 2)[1]))
            starts.append(start)
            start += len(line)
        starts.append(start)
        for number, place in enumerate(_once(seqs)):
            line = lines[starts[place] : starts[place + 1]]
            if not number:
                ordered.write(header_line(Header(writer, process.role, _time(line), process.resource)))
            ordered.write(line)


def _once(seqs: array[int]) -> Iterator[int]:
    """Yield the places of the numbers in their order, each number once."""
    last = 0
    in_order = all(before <= after for before, after in pairwise(seqs))
    places = range(len(seqs))
    # They are, unless something arrived twice or late; to sort millions takes several times their memory.
    for place in places if in_order else sorted(places, key=seqs.__getitem__):
        if seqs[place] != last:
            last = seqs[place]
            yield place


def _time(line: bytes) -> int:
    """Return when a process's first record was made: the best there is for when it began."""
    found = whole_line(line)
    assert found is not None
    body = json.loads(found[3])
    return int(body.get("startTimeUnixNano") or body.get("timeUnixNano") or 0)
