"""Rows are indexed by task once, and read when somebody asks for one."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.contract.outcome import Outcome
from vaportrail.errors import RecordError
from vaportrail.record import row_table
from vaportrail.record.row_table import RowTable
from vaportrail.record.rows import AttemptInfo, TaskInfo, ValueInfo, rows_in_order

IDS = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=12)


def task(task_id: str) -> TaskInfo:
    return TaskInfo(
        id=task_id, name="n", kind="python", outcome=Outcome.SUCCEEDED, arguments={"id": task_id}, options={},
        upstream=[], attempts=2, submitted="", ended="", cause="", allow_failure=False, span_id="",
    )  # fmt: skip


def attempt(task_id: str, number: int) -> AttemptInfo:
    return AttemptInfo(
        task=task_id, attempt=number, outcome=Outcome.FAILED, started="", ended="", failure=None, host="",
        pid=1, node="", writer="", span_id="",
    )  # fmt: skip


@pytest.fixture(
    autouse=True,
    params=[(1, 2**20), (1, 0), (2**20, 2**20)],
    ids=["small blocks", "packed blocks", "one block"],
)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_table, "_BLOCK_BYTES", request.param[0])
    monkeypatch.setattr(row_table, "PLAIN_BYTES", request.param[1])


@given(ids=IDS, plain=st.booleans())
def test_rows_are_found_by_their_task_whatever_it_is_called(ids: list[str], plain: bool) -> None:
    rows: dict[Any, Any] = {
        "task": [task(each) for each in ids],
        "attempt": [attempt(each, number) for each in ids for number in (1, 2)],
        "param": [ValueInfo(task="", name="p", value=1), ValueInfo(task="lost\n", name="q", value=2)],
    }
    lines = list(rows_in_order(rows))
    if not plain:  # the same JSON, as somebody else would write it
        lines = [json.dumps(dict(sorted(json.loads(line).items()))).encode() for line in lines]
    table = RowTable(lines)

    assert list(table.rows("task")) == rows["task"]
    assert list(table.rows("attempt")) == rows["attempt"]
    assert [table.number_of(each) for each in ids] == list(range(len(ids)))
    assert [table.of(each, "attempt") for each in ids] == [
        [attempt(each, 1), attempt(each, 2)] for each in ids
    ]
    assert [row.value for row in (*table.of("", "param"), *table.of("lost\n", "param"))] == [1, 2]
    assert (table.number_of(""), table.number_of("lost\n")) == (None, None)
    assert len(table.rows("attempt")) == 2 * len(ids)
    assert list(RowTable(table.lines()).rows("task")) == rows["task"]


def test_lines_of_a_later_version_are_passed_over() -> None:
    lines = [b'{"line":"weather","task":"a","is":"fine"}\n', *rows_in_order({"task": [task("a")]})]

    assert [row.id for row in RowTable(lines).rows("task")] == ["a"]


BROKEN = {
    "no JSON": b"{",
    "a list": b"[]",
    "of nothing": b'{"task":"a"}',
    "of nobody": b'{"line":"param","name":"p"}',
    "of a number": b'{"line":"param","task":1}',
    "of no text": b'{"line":"param","task":"\xff","name":"p","value":1}',
    "of what JSON does not hold": b'{"line":"param","task":"\x01","name":"p","value":1}',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError, match="the record: a line "):
        RowTable([line])


def test_a_line_whose_fields_are_wrong_is_refused_when_it_is_read() -> None:
    table = RowTable([b'{"line":"param","task":"","name":1,"value":2}'])

    with pytest.raises(RecordError, match="a line is not valid"):
        list(table.rows("param"))


def test_lines_of_a_task_that_do_not_stand_together_are_refused() -> None:
    lines = list(rows_in_order({"task": [task("a"), task("b")]}))

    with pytest.raises(RecordError, match="the lines of 'a' do not stand together"):
        RowTable([*lines, lines[0]])
    with pytest.raises(RecordError, match="there are two tasks 'a'"):
        RowTable([lines[0], lines[0]])


TWICE = (
    b'{"line":"param","task":"a","name":"n","value":1,"task":"b"}',
    b'{"line":"param","id":"a","task":"b","name":"n","value":1}',
)


@pytest.mark.parametrize("line", TWICE, ids=["the same key", "another key"])
def test_a_line_that_says_twice_whose_it_is_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError, match="says twice"):
        list(RowTable([line + b"\n"]).rows("param"))


def test_rows_that_unpack_to_a_multiple_take_no_more_memory_than_they_are_packed() -> None:
    value = "x" * 2**19
    lines = (
        b'{"line":"param","task":"%d","name":"n","value":"%b"}\n' % (n, value.encode()) for n in range(99)
    )
    tracemalloc.start()
    try:
        row_table.PLAIN_BYTES = 2**22  # put back by the fixture
        table = RowTable(lines)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert kept < 2**23
    assert [row.value for row in table.rows("param")] == [value] * 99


@pytest.mark.parametrize(
    ("limit", "message"),
    [("OWNERS", "of more than 1 tasks"), ("OWNER_BYTES", "are more than 0 MiB"),
     ("SECTION_BYTES", "sections are more than 0 MiB")],
)  # fmt: skip
def test_rows_beyond_any_reason_are_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, message: str
) -> None:
    monkeypatch.setattr(row_table, limit, 1)
    lines = [b'{"line":"param","task":"%d"}\n' % number for number in range(3)]
    lines.insert(0, b'{"line":"section","name":"parameters","value":{}}\n')

    with pytest.raises(RecordError, match=message):
        RowTable(lines[:1] if limit == "SECTION_BYTES" else lines[1:])
