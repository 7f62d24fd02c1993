"""The spool on a real file system: what is stored takes no space, whatever is written meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from vaportrail.contract.otlp_signals import Kind
from vaportrail.shipper.files import SpoolFolder
from vaportrail.shipper.shipper import PostResult, Reply, Shipper
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.spool import Header, Writer
from vaportrail.telemetry.values import attributes, read_attributes

MEBIBYTE = 1 << 20
BLOCK = 4096
TEXT = "x" * 60_000


class Process:
    """Prints and records at once, as a worker does, to files that stay open."""

    def __init__(self, folder: Path) -> None:
        resource = {"attributes": attributes({c.WRITER_ID: "w"})}
        self._writer = Writer(folder, Header("w", "worker", 1, resource))
        self._out = os.open(folder / "w.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = 0
        self.lines = 0

    def print(self, count: int) -> None:
        for _ in range(count):
            self._size += os.write(self._out, f"{TEXT}\n".encode())
            self._writer.append("L", "stdout", self._record)
            self.lines += 1

    def _record(self, seq: int) -> dict[str, object]:
        values = {c.LOG_IOSTREAM: "stdout", c.STREAM_OFFSET: self._size, c.SEQ: seq}
        return {"timeUnixNano": "7", "body": {"stringValue": TEXT}, "attributes": attributes(values)}

    def close(self) -> None:
        self._writer.close()
        os.close(self._out)


class Stored:
    """A collector that stores at once and remembers whose number."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.recovered = 0

    def post(self, requests: Mapping[Kind, bytes], left: Callable[[], float]) -> dict[Kind, PostResult]:
        for body in requests.values():
            for group in json.loads(body)["resourceLogs"]:
                writer = read_attributes(group["resource"]["attributes"])[c.WRITER_ID]
                for record in (each for scope in group["scopeLogs"] for each in scope["logRecords"]):
                    if writer == "w":
                        self.numbers.append(read_attributes(record["attributes"])[c.SEQ])
                    elif "eventName" not in record:
                        self.recovered += 1
        return dict.fromkeys(requests, PostResult(Reply.STORED))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path / "uid")
    yield made
    made.close()


def used(folder: Path) -> int:
    """Return what the kubelet counts against an emptyDir's limit."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ship(folder: Path, collector: Stored, waits: Iterator[bool]) -> int:
    return Shipper(
        SpoolFolder(folder), collector, unix_nano=lambda: 1, monotonic=lambda: 0.0,
        wait=lambda seconds: next(waits, True), chance=lambda: 0.5, say=lambda line: None, drain_seconds=50,
    ).run()  # fmt: skip


def test_the_space_taken_stays_small_while_far_more_is_written_and_shipped(
    tmp_path: Path, process: Process
) -> None:
    collector, taken = Stored(), [0]

    def write() -> Iterator[bool]:
        for _ in range(40):
            taken.append(used(tmp_path))
            process.print(17)  # a mebibyte of output, and one of spool
            yield False

    code = ship(tmp_path, collector, write())

    assert size(tmp_path) > 70 * MEBIBYTE
    assert max(taken) < 4 * MEBIBYTE
    assert (code, collector.numbers, collector.recovered) == (0, list(range(1, process.lines + 1)), 0)


def test_a_shipper_that_starts_again_reads_on_behind_what_was_released(
    tmp_path: Path, process: Process
) -> None:
    collector = Stored()
    for _ in range(5):
        process.print(20)
        ship(tmp_path, collector, iter([False, False]))

    assert collector.numbers == list(range(1, process.lines + 1))
    assert used(tmp_path) < MEBIBYTE


def test_of_a_process_that_is_silent_only_blocks_that_are_not_whole_are_left(
    tmp_path: Path, process: Process
) -> None:
    process.print(1)  # less than is released while more comes
    ship(tmp_path, Stored(), itertools.repeat(False, 20))

    # The ledger, the mark, and of the spool the header's block and the last one, of the output the last.
    assert size(tmp_path) > 29 * BLOCK
    assert used(tmp_path) <= 5 * BLOCK


def test_a_process_that_speaks_again_after_its_spool_was_released_is_followed(
    tmp_path: Path, process: Process
) -> None:
    collector = Stored()

    def speak() -> Iterator[bool]:
        for _ in range(3):
            process.print(1)
            yield from itertools.repeat(False, 20)

    assert ship(tmp_path, collector, speak()) == 0
    assert (collector.numbers, collector.recovered) == ([1, 2, 3], 0)
    assert used(tmp_path) <= 5 * BLOCK


def test_what_a_shipper_before_it_left_is_released_by_the_next(tmp_path: Path, process: Process) -> None:
    process.print(1)
    ship(tmp_path, Stored(), iter([False]))
    ship(tmp_path, Stored(), itertools.repeat(False, 20))

    assert used(tmp_path) <= 5 * BLOCK


def test_only_whole_blocks_between_the_two_places_are_released(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 20_000)
    SpoolFolder(tmp_path).release("file", 10, 10_000)

    assert (tmp_path / "file").read_bytes() == b"x" * 4096 + bytes(4096) + b"x" * (20_000 - 8192)


@pytest.mark.parametrize(("start", "end"), [(0, 4095), (1, 8191), (8192, 0)])
def test_less_than_a_block_is_left(tmp_path: Path, start: int, end: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * 20_000)
    SpoolFolder(tmp_path).release("file", start, end)

    assert (tmp_path / "file").read_bytes() == b"x" * 20_000


def test_a_file_system_that_releases_nothing_is_an_error() -> None:
    with pytest.raises(OSError, match="null"):
        SpoolFolder(Path("/dev")).release("null", 0, 8192)


def test_a_disk_that_is_full_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        SpoolFolder(Path("/dev")).keep("full", b"mark\n")


def test_what_is_kept_is_kept_in_its_place(tmp_path: Path) -> None:
    files = SpoolFolder(tmp_path)
    files.keep("w.shipped", b"longer\n")
    before = (tmp_path / "w.shipped").stat()
    files.keep("w.shipped", b"new\n")
    after = (tmp_path / "w.shipped").stat()

    assert files.read("w.shipped", 0, 100) == b"new\ner\n"
    assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o600)


def a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("ending", [".spool", ".ledger", ".out", ".shipped"])
@pytest.mark.parametrize("make", [a_link, a_link_to_itself, Path.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_as_if_it_were_not_there(
    tmp_path: Path, make: Callable[[Path], object], ending: str
) -> None:
    (tmp_path / "uid").mkdir()
    make(tmp_path / "uid" / f"x{ending}")
    files = SpoolFolder(tmp_path)
    assert files.writers() == []
    assert (files.size(f"uid/x{ending}"), files.read(f"uid/x{ending}", 0, 10)) == (0, b"")
    with pytest.raises(OSError, match="no regular file"):
        files.keep(f"uid/x{ending}", b"x")
