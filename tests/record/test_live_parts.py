"""Parts of a live run as a watcher reads them: whole, growing, in pieces, or damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.record.seal.parts import live_part_records
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import attributes

if TYPE_CHECKING:
    from tests.record.clusters import Cluster


def line(*seqs: int, writer: str = "worker-1") -> bytes:
    """Return an export request with log records of these numbers."""
    records: list[Any] = [{"timeUnixNano": "1", "attributes": attributes({c.SEQ: seq})} for seq in seqs]
    resource = {"attributes": attributes({c.WRITER_ID: writer})}
    group = {"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": records}]}
    return json.dumps({"resourceLogs": [group]}).encode() + b"\n"


class OnePart:
    """A store with one part in it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self.content


def numbers(content: bytes) -> list[int]:
    return [record.identity[1] for record in live_part_records(OnePart(content), "it")]  # type: ignore[arg-type]


def test_a_file_of_several_gzip_members_is_read_to_its_end() -> None:
    assert numbers(gzip.compress(line(1)) + gzip.compress(line(2)) + gzip.compress(line(3))) == [1, 2, 3]


def test_a_member_that_is_still_arriving_does_not_hide_those_before_it() -> None:
    assert numbers(gzip.compress(line(1)) + gzip.compress(line(2))[:-15])[:1] == [1]


def test_a_damaged_member_does_not_hide_those_before_it() -> None:
    damaged = gzip.compress(b"x" * 100)[:12] + b"\xff" * 20

    assert numbers(gzip.compress(line(1)) + damaged) == [1]


@given(st.binary(max_size=60))
def test_whatever_stands_in_a_part_it_is_read_as_far_as_it_goes(content: bytes) -> None:
    assert numbers(b"\x1f\x8b\x08" + content) == []
    assert numbers(line(1) + content)[:1] == [1]


@pytest.mark.parametrize(
    "foreign",
    [b"[]", b'{"resourceLogs":[1]}', b'{"resourceLogs":7}', b"\xff\xfe", line(0), line(1, writer=""),
     b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[5]}]}]}'],
)  # fmt: skip
def test_what_is_not_ours_is_left_out(foreign: bytes) -> None:
    assert numbers(foreign + b"\n" + line(4)) == [4]


def test_the_parts_of_a_run_are_read(cluster: Cluster) -> None:
    assert all(list(live_part_records(cluster.store, path)) for path in cluster.parts())
