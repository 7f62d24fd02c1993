"""The spool: every whole line comes back, every damaged one is left out, the ledger counts all."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.contract.otlp_signals import BY_KIND, Kind
from vaportrail.errors import SpoolError
from vaportrail.telemetry.batch import Batch
from vaportrail.telemetry.redact import redactor
from vaportrail.telemetry.spool import (
    Header,
    SpoolLine,
    Writer,
    read_header,
    read_ledger,
    read_spool,
)

HEADER = Header("worker-1", "worker", 7, {"attributes": [{"key": "a", "value": {"intValue": "1"}}]})
KINDS: tuple[Kind, ...] = tuple(BY_KIND)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCOPE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "spool", HEADER)
    yield made
    made.close()


def spool_file(folder: Path) -> Path:
    return folder / "worker-1.spool"


def read(folder: Path) -> list[SpoolLine]:
    lines = spool_file(folder).read_bytes().splitlines(keepends=True)
    return list(read_spool(iter(lines[1:])))


def ledger(folder: Path) -> Mapping[Kind, int] | None:
    return read_ledger((folder / "worker-1.ledger").read_bytes())


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(st.sampled_from(KINDS), SCOPE, TEXT), max_size=8), min_size=2, max_size=4))
def test_all_records_of_all_threads_are_read_back_once_and_counted(
    batches: list[list[tuple[Kind, str, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = Writer(folder, HEADER)
        together = threading.Barrier(len(batches))

        def append(batch: list[tuple[Kind, str, str]]) -> None:
            together.wait()
            for kind, scope, text in batch:
                writer.append(kind, scope, lambda seq, text=text: {"text": text, "seq": seq})  # type: ignore[misc]

        threads = [threading.Thread(target=append, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
        lines = read(folder)
        given_records = [record for batch in batches for record in batch]
        assert sorted(line.seq for line in lines) == list(range(1, len(given_records) + 1))
        assert [line.record["seq"] for line in lines] == [line.seq for line in lines]
        found = sorted((line.kind, line.scope, line.record["text"]) for line in lines)
        assert found == sorted(given_records)
        made = {kind: sum(1 for record in given_records if record[0] == kind) for kind in KINDS}
        assert ledger(folder) == {"L": made["L"], "T": made["T"], "M": made["M"]}


@given(st.data())
def test_a_torn_last_line_loses_only_itself(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = Writer(folder, HEADER)
        for text in ("first", "second", "third"):
            writer.append("L", "s", lambda seq, text=text: {"text": text})  # type: ignore[misc]
        writer.close()
        raw = spool_file(folder).read_bytes()
        start = raw[:-1].rindex(b"\n") + 1
        # The last byte is the line's end, without which the line is whole still.
        cut = data.draw(st.integers(start, len(raw) - 2))
        spool_file(folder).write_bytes(raw[:cut])
        assert [line.record["text"] for line in read(folder)] == ["first", "second"]
        assert ledger(folder) == {"L": 3, "T": 0, "M": 0}


@given(st.data())
def test_a_flipped_bit_loses_only_its_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = Writer(folder, HEADER)
        for text in ("first", "second", "third"):
            writer.append("L", "s", lambda seq, text=text: {"text": text})  # type: ignore[misc]
        writer.close()
        raw = bytearray(spool_file(folder).read_bytes())
        ends = [at for at, byte in enumerate(raw) if byte == ord("\n")]
        # A checksum's letters may change their case without changing its value.
        at = data.draw(st.integers(ends[1] + 1 + 8, ends[2] - 1))
        flipped = raw[at] ^ data.draw(st.sampled_from([1, 2, 4, 8, 16, 64, 128]))
        raw[at] = flipped if flipped != ord("\n") else raw[at] ^ 32
        spool_file(folder).write_bytes(raw)
        assert [line.record["text"] for line in read(folder)] == ["first", "third"]


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A disk on which a file's writes are cut short, then fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_that_cannot_be_made_are_said_by_the_spools_name(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    with pytest.raises(SpoolError, match="spool cannot be written: "):
        Writer(tmp_path / "spool", Header("w", "runner", 0, {}))


@pytest.mark.parametrize("room", [0, 1, 20])
def test_a_write_that_fails_loses_only_its_own_record(writer: Writer, room: int) -> None:
    writer.append("L", "s", lambda seq: {"text": "first"})
    size = spool_file(writer.directory).stat().st_size
    with files_limited_to(size + room):
        for _ in range(2):
            with pytest.raises(SpoolError, match="File too large"):
                writer.append("L", "s", lambda seq: {"text": "lost"})
    writer.append("L", "s", lambda seq: {"text": "fourth"})
    writer.append("L", "s", lambda seq: {"text": "fifth"})

    assert [line.record["text"] for line in read(writer.directory)] == ["first", "fourth", "fifth"]
    assert ledger(writer.directory) == {"L": 5, "T": 0, "M": 0}


def test_a_batch_is_neither_written_nor_counted_before_it_is_written_together(writer: Writer) -> None:
    batch = Batch(writer)
    for text in ("first", "second"):
        batch.append("L", "s", lambda seq, text=text: {"text": text})  # type: ignore[misc]
    batch.append("T", "s", lambda seq: {"text": "third"})
    writer.append("L", "s", lambda seq: {"text": "of another"})
    assert [line.record["text"] for line in read(writer.directory)] == ["of another"]
    assert ledger(writer.directory) == {"L": 1, "T": 0, "M": 0}

    for _ in range(2):
        batch.write()
        texts = [line.record["text"] for line in read(writer.directory)]
        assert texts == ["of another", "first", "second", "third"]
        assert ledger(writer.directory) == {"L": 3, "T": 1, "M": 0}


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5), st.lists(st.integers(0, 60), max_size=5), st.booleans())
def test_what_a_batch_cannot_write_is_counted_and_written_once_when_there_is_room(
    texts: list[str], rooms: list[int], torn: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        writer = Writer(Path(name), HEADER)
        with files_limited_to(spool_file(Path(name)).stat().st_size + 1), suppress(SpoolError):
            if torn:
                writer.append("L", "s", lambda seq: {"text": "lost"})
        batch = Batch(writer)
        for text in texts:
            batch.append("L", "s", lambda seq, text=text: {"text": text})  # type: ignore[misc]
        for room in rooms:
            with files_limited_to(spool_file(Path(name)).stat().st_size + room), suppress(SpoolError):
                batch.write()
            assert ledger(Path(name)) == {"L": len(texts) + torn, "T": 0, "M": 0}
        batch.write()
        writer.close()
        assert [line.record["text"] for line in read(Path(name))] == texts
        assert ledger(Path(name)) == {"L": len(texts) + torn, "T": 0, "M": 0}


def test_of_a_batch_of_many_each_is_written_once_though_the_disk_is_full_for_a_time(writer: Writer) -> None:
    batch = Batch(writer)
    for number in range(200):
        batch.append("L", "s", lambda seq, number=number: {"number": number})  # type: ignore[misc]
    with files_limited_to(spool_file(writer.directory).stat().st_size + 4000):
        for _ in range(2):
            with pytest.raises(SpoolError, match="File too large"):
                batch.write()
    assert 0 < len(read(writer.directory)) < 200
    batch.write()
    assert [line.record["number"] for line in read(writer.directory)] == list(range(200))
    assert ledger(writer.directory) == {"L": 200, "T": 0, "M": 0}


@pytest.mark.parametrize("part", [0, 30], ids=["whole", "in part"])
def test_what_a_signals_handler_writes_within_a_write_that_fails_takes_no_record_with_it(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    batch, write = Batch(writer), os.write
    for text in ("a", "b", "c"):
        batch.append("L", "s", lambda seq, text=text: {"text": text})
    ends = [lambda raw: write(fd, raw[:part])] if part else []

    def interrupted(fd: int, raw: bytes) -> int:
        if ends:
            return ends.pop()(raw)
        monkeypatch.setattr(os, "write", write)
        writer.append("L", "s", lambda seq: {"text": "handler" * 20})
        raise OSError(28, "No space left on device")

    fd = writer._fd
    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(SpoolError):
        batch.write()
    batch.write()

    texts = [line.record["text"] for line in read(writer.directory)]
    assert sorted(texts) == ["a", "b", "c", "handler" * 20]
    assert ledger(writer.directory) == {"L": 4, "T": 0, "M": 0}


def test_what_cannot_be_made_for_a_batch_is_counted_and_keeps_no_other_back(writer: Writer) -> None:
    batch = Batch(writer)
    batch.append("L", "s", lambda seq: {"text": "first"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        batch.append("L", "s", lambda seq: {"bad": float("nan")})
    assert ledger(writer.directory) == {"L": 1, "T": 0, "M": 0}
    batch.write()
    assert [line.record["text"] for line in read(writer.directory)] == ["first"]
    assert ledger(writer.directory) == {"L": 2, "T": 0, "M": 0}


def test_a_batch_says_when_it_is_large_until_it_is_written(writer: Writer) -> None:
    batch = Batch(writer)
    assert not batch.is_large
    batch.append("L", "s", lambda seq: {"text": "x" * 300_000})
    assert batch.is_large
    batch.write()
    assert not batch.is_large


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"zz 1 L s {}\n", b"\xff\xfe\n", b"00000000 1 L s {}\n"], ids=repr
)
def test_a_line_that_is_none_is_left_out(line: bytes) -> None:
    assert list(read_spool(iter([line]))) == []


def test_a_record_has_the_number_it_was_made_with(writer: Writer) -> None:
    seen: list[int] = []

    def make(seq: int) -> dict[str, Any]:
        seen.append(seq)
        return {}

    assert [writer.append("L", "s", make), writer.append("T", "s", make)] == seen == [1, 2]


@pytest.mark.parametrize("scope", ["my.logger", "with space", "a/b%c", "ünï", "new\nline"], ids=repr)
def test_a_scope_comes_back_as_it_was(writer: Writer, scope: str) -> None:
    writer.append("M", scope, lambda seq: {})
    assert read(writer.directory)[0].scope == scope


def test_a_record_that_cannot_be_made_is_counted_as_made(writer: Writer) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.append("L", "s", lambda seq: {"bad": float("nan")})
    writer.append("L", "s", lambda seq: {})
    assert ledger(writer.directory) == {"L": 2, "T": 0, "M": 0}
    assert [line.seq for line in read(writer.directory)] == [2]


def test_secrets_are_replaced_before_the_line_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path, HEADER, redactor({"DB_PASSWORD": "a-secret-value"}))
    writer.append("L", "s", lambda seq: {"body": {"stringValue": "a-secret-value!"}})
    writer.close()
    assert read(tmp_path)[0].record == {"body": {"stringValue": "[redacted:DB_PASSWORD]!"}}
    assert b"a-secret-value" not in spool_file(tmp_path).read_bytes()


def test_what_is_appended_is_there_at_once(writer: Writer) -> None:
    writer.append("L", "s", lambda seq: {})
    assert len(read(writer.directory)) == 1
    assert ledger(writer.directory) == {"L": 1, "T": 0, "M": 0}


def test_the_header_is_the_first_line(writer: Writer) -> None:
    first = spool_file(writer.directory).read_bytes().splitlines()[0]
    assert read_header(first) == HEADER


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"{", b'{"vaportrail.spool": 2}', b'{"vaportrail.spool": 1}', b"\xff"],
    ids=repr,
)
def test_a_foreign_first_line_is_no_header(line: bytes) -> None:
    assert read_header(line) is None


@pytest.mark.parametrize("raw", [b"", b"x" * 31, b"x" * 32, b"VTLEDG1\n" + b"\0" * 25], ids=repr)
def test_other_bytes_are_no_ledger(raw: bytes) -> None:
    assert read_ledger(raw) is None


def test_a_writers_name_is_taken_once(writer: Writer) -> None:
    with pytest.raises(FileExistsError):
        Writer(writer.directory, HEADER)


def test_nobody_else_may_read_a_spool(writer: Writer) -> None:
    modes = [writer.directory, *sorted(writer.directory.iterdir())]
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in modes] == [0o700, 0o600, 0o600]
