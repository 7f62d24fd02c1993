"""A pod in memory: a spool, its writers, a collector, a clock; a world without waiting."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vaportrail.contract.otlp_signals import BY_KIND, Kind
from vaportrail.shipper.shipper import PostResult, Reply, Shipper
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.otlp_json import log_record
from vaportrail.telemetry.spool import Header, compact, header_line, spool_line
from vaportrail.telemetry.values import attributes, read_attributes

UID = "run-1"


class Killed(Exception):
    """The shipper's process is no more."""


@dataclass
class Pod:
    """What the shipper is given.

    Attributes:
        faults: what becomes of the next posts; `REFUSED` here is a failure before it was stored.
        kills: whether the shipper's process ends, at each moment at which that matters.
        on_post: done in each post.
        left: what posts were told of the seconds they have, where that is asked.
        disk_trouble: raised where the spool is to be changed.
        reads: the files that were read, in order.
        stored_at: when each request was stored.
    """

    files: dict[str, bytearray] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    stored: list[tuple[Kind, bytes]] = field(default_factory=list)
    faults: list[Reply] = field(default_factory=list)
    refuses: Callable[[bytes], bool] = lambda body: False
    said: list[str] = field(default_factory=list)
    kills: list[bool] = field(default_factory=list)
    on_post: Callable[[], object] = lambda: None
    left: list[float] | None = None
    disk_trouble: OSError | None = None
    reads: list[str] = field(default_factory=list)
    stored_at: list[float] = field(default_factory=list)
    posts: int = 0
    now: float = 0.0

    # The spool.
    def writers(self) -> list[str]:
        return sorted(path.removesuffix(".spool") for path in self.files if path.endswith(".spool"))

    def size(self, path: str) -> int:
        return len(self.files.get(path, b""))

    def read(self, path: str, offset: int, size: int) -> bytes:
        self.reads.append(path)
        return bytes(self.files.get(path, b"")[offset : offset + size])

    def append(self, writer: str, raw: bytes, suffix: str = "spool") -> None:
        self.files.setdefault(f"{UID}/{writer}.{suffix}", bytearray()).extend(raw)

    def begin(self, writer: str, role: str = "worker") -> None:
        self.numbers[writer] = 0
        resource = {"attributes": attributes({c.WRITER_ID: writer, c.PIPELINE_RUN_ID: UID})}
        self.append(writer, header_line(Header(writer, role, 5, resource)))
        self._count(writer)

    def line(self, writer: str, text: str = "", kind: Kind = "L", **values: Any) -> bytes:
        """Return a record's line, which the ledger counts at once."""
        if kind == "T":
            return self._line(writer, "T", {"spanId": "s", "endTimeUnixNano": "9"}, values)
        record = log_record(text, {}, unix_nano=1, observed_unix_nano=1)
        return self._line(writer, kind, record, {c.LOG_IOSTREAM: None, **values})

    def _line(self, writer: str, kind: Kind, record: dict[str, Any], values: dict[str, Any]) -> bytes:
        self.numbers[writer] += 1
        seq = self.numbers[writer]
        self._count(writer)
        record = {**record, "attributes": attributes({**values, c.SEQ: seq})}
        return spool_line(seq, kind, "scope", compact(record))

    def attempt_line(self, writer: str, task: str, **offsets: int) -> bytes:
        """Return the line that says that an attempt begins."""
        return self._line(writer, "L", {"eventName": c.EVENT_ATTEMPT_STARTED, **_span(task)},
                          {c.TASK_RUN_ID: task, c.ATTEMPT: 1, **offsets})  # fmt: skip

    def cell_line(self, writer: str, task: str, **offsets: int) -> bytes:
        """Return the line that says that a cell of its notebook begins."""
        return self._line(writer, "L", {"eventName": c.EVENT_CELL_OUTPUT, **_span(task)},
                          {c.TASK_RUN_ID: task, c.ATTEMPT: 1, **offsets})  # fmt: skip

    def span_line(self, writer: str, task: str) -> bytes:
        """Return the line that says that it has ended."""
        return self._line(writer, "T", {"endTimeUnixNano": "9", **_span(task)}, {})

    def _count(self, writer: str) -> None:
        made = struct.pack("<8sQQQ", b"VTLEDG1\n", self.numbers[writer], 0, 0)
        self.files[f"{UID}/{writer}.ledger"] = bytearray(made)

    def keep(self, path: str, raw: bytes) -> None:
        if self.disk_trouble is not None:
            raise self.disk_trouble
        self._moment()
        kept = self.files.setdefault(path, bytearray())
        kept[: len(raw)] = raw
        self._moment()

    def release(self, path: str, start: int, end: int) -> None:
        self.files[path][start:end] = bytes(end - start)
        self._moment()

    def _moment(self) -> None:
        if self.kills and self.kills.pop(0):
            raise Killed

    # The collector.
    def post(self, requests: Mapping[Kind, bytes], left: Callable[[], float]) -> dict[Kind, PostResult]:
        self.posts += 1
        if self.left is not None:
            self.left.append(left())
        self._moment()
        answers = {kind: self._post(kind, body) for kind, body in requests.items()}
        self.on_post()
        self._moment()
        return answers

    def _post(self, kind: Kind, body: bytes) -> PostResult:
        if self.refuses(body):
            return PostResult(Reply.REFUSED, "400 Bad Request")
        fault = self.faults.pop(0) if self.faults else Reply.STORED
        if fault is not Reply.REFUSED:
            self.stored.append((kind, body))
            self.stored_at.append(self.now)
        return PostResult(Reply.STORED if fault is Reply.STORED else Reply.FAILED, "it broke")

    # What was stored.
    def records(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return attributes of the process, and the record, of all that was stored."""
        found = []
        for _, body in self.stored:
            for groups in json.loads(body).values():
                for group in groups:
                    resource = read_attributes(group["resource"]["attributes"])
                    scopes = next(value for key, value in group.items() if key != "resource")
                    for scope in scopes:
                        bodies = next(value for key, value in scope.items() if key != "scope")
                        found += [(resource, record) for record in bodies]
        return found

    def made(self) -> dict[str, set[int]]:
        """Return the numbers of the writers' own records that were stored."""
        found: dict[str, set[int]] = {}
        for resource, record in self.records():
            if resource.get(c.WRITER_ROLE) != "shipper":
                seq = read_attributes(record["attributes"])[c.SEQ]
                found.setdefault(resource[c.WRITER_ID], set()).add(seq)
        return found

    def ledgers(self, state: str) -> dict[str, int]:
        named = [
            read_attributes(r["attributes"])
            for _, r in self.records()
            if r.get("eventName") == c.EVENT_LEDGER
        ]
        return {n[c.LEDGER_WRITER]: n[BY_KIND["L"].counter] for n in named if n[c.LEDGER_STATE] == state}

    def recovered(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return number, text and attributes of what a shipper recovered of output, each block once."""
        found = {}
        for resource, record in self.records():
            if resource.get(c.WRITER_ROLE) == "shipper" and "eventName" not in record:
                named = read_attributes(record["attributes"])
                found[resource[c.WRITER_ID], named[c.SEQ]] = (record["body"]["stringValue"], named)
        return [(seq, *what) for (_, seq), what in sorted(found.items())]

    def recovered_lines(self) -> list[tuple[str, str]]:
        """Return its lines, and the tasks that they are of."""
        owned = [(text, named.get(c.TASK_RUN_ID, "")) for _, text, named in self.recovered()]
        return [(line, task) for text, task in owned for line in text.split("\n")]

    # The shipper.
    def shipper(self, *, waits: list[Callable[[], bool]], drain_seconds: float = 50) -> Shipper:
        """Return a shipper for which each wait does the next of `waits`; then the end comes."""

        def wait(seconds: float) -> bool:
            self.now += seconds
            return waits.pop(0)() if waits else True

        return Shipper(
            self, self,
            unix_nano=lambda: int(self.now * 1e9), monotonic=lambda: self.now,
            wait=wait, chance=lambda: 0.5, say=self.said.append, drain_seconds=drain_seconds,
        )  # fmt: skip

    def drain(self) -> int:
        return self.shipper(waits=[]).run()


def _span(task: str) -> dict[str, str]:
    return {"traceId": "t", "spanId": f"span-of-{task}."}


def nothing() -> bool:
    return False
