"""A part may hold the whole run: little of it is kept in memory, and the order of arrival stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaportrail.record.otlp_lines import Resource
from vaportrail.record.seal.demultiplex import BUFFER_BYTES, Demultiplexer
from vaportrail.record.seal.parts import Groups
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes

TEXT = 2**20
COUNT = 4 * BUFFER_BYTES // TEXT


def resource(writer: str) -> Resource:
    return Resource({"attributes": attributes({c.WRITER_ID: writer, c.WRITER_ROLE: "worker"})})


def body(seq: int, text: str) -> dict[str, Any]:
    return {"timeUnixNano": "1", "body": {"stringValue": text}, "attributes": attributes({c.SEQ: seq})}


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_what_is_not_on_disk_yet_is_never_more_than_a_limit(tmp_path: Path) -> None:
    in_memory: list[int] = []

    def groups() -> Groups:
        for seq in range(1, COUNT + 1):
            yield "L", resource(f"worker-{seq % 3}"), "stdout", [body(seq, "x" * TEXT)]
            in_memory.append(seq * TEXT - on_disk(tmp_path))

    Demultiplexer(tmp_path).take(groups())

    assert max(in_memory) <= BUFFER_BYTES


def test_of_records_that_came_twice_the_first_counts_however_far_apart_they_came(tmp_path: Path) -> None:
    gathered = Demultiplexer(tmp_path)

    def groups() -> Groups:
        for text in "ab":
            for seq in range(COUNT, 0, -1):
                yield "L", resource("worker-1"), "stdout", [body(seq, text * TEXT)]

    gathered.take(groups())
    gathered.finish()
    lines = (tmp_path / "worker-1.spool").read_bytes().splitlines()[1:]

    assert [int(line.split(b" ", 2)[1]) for line in lines] == list(range(1, COUNT + 1))
    assert all(b"a" * TEXT in line for line in lines)
