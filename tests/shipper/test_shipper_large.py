"""What is too large for the shipper's memory is passed over and counted; it holds nothing up."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.planning.runs import a_run
from tests.shipper.spooling_pod import UID, Killed, Pod, nothing

from vaportrail.shipper import lines
from vaportrail.shipper.files import SpoolFolder
from vaportrail.shipper.lines import LINE_LIMIT
from vaportrail.shipper.shipper import BATCH_BYTES, Shipper
from vaportrail_operator.planning.children.collector_configuration import collector_configuration

MEBIBYTE = 1 << 20


@pytest.fixture
def pod() -> Pod:
    made = Pod()
    made.begin("w")
    return made


@pytest.fixture
def low() -> Iterator[int]:
    """A limit that a test reaches sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "LINE_LIMIT", 3 * MEBIBYTE)
        yield 3 * MEBIBYTE


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_record_over_the_limit_is_passed_over_and_counted(pod: Pod, low: int, times: int) -> None:
    pod.append("w", pod.line("w") + pod.line("w", "x" * low * times) + pod.line("w"))

    assert (pod.drain(), pod.made(), pod.ledgers("exact")) == (0, {"w": {1, 3}}, {"w": 3})


def test_a_record_over_the_limit_is_said(pod: Pod, low: int) -> None:
    pod.append("w", pod.line("w", "x" * low) + pod.line("w"))
    pod.drain()

    assert "a record is larger than 3 MiB: it is lost and counted" in pod.said
    assert pod.said[-1] == "all is stored: 1 processes, 1 records left out"


def test_a_record_over_the_limit_is_said_once_whoever_follows(pod: Pod, low: int) -> None:
    pod.append("w", pod.line("w", "x" * low))

    def kill() -> bool:
        raise Killed

    with pytest.raises(Killed):
        pod.shipper(waits=[nothing, nothing, kill]).run()
    pod.drain()

    assert sum("larger than" in line for line in pod.said) == 1


def test_what_follows_a_record_over_the_limit_is_shipped_while_it_follows(pod: Pod, low: int) -> None:
    pod.append("w", pod.line("w", "x" * low) + pod.line("w"))
    seen: list[dict[str, set[int]]] = []
    pod.shipper(waits=[nothing, nothing, lambda: bool(seen.append(pod.made()))]).run()

    assert seen == [{"w": {2}}]


def test_a_record_over_the_limit_that_is_still_being_written_is_passed_over(pod: Pod, low: int) -> None:
    line = pod.line("w", "x" * low * 2)
    pod.append("w", line[: low + 100])

    def write() -> bool:
        pod.append("w", line[low + 100 :] + pod.line("w"))
        return False

    pod.shipper(waits=[nothing, nothing, write]).run()

    assert (pod.made(), pod.ledgers("exact")) == ({"w": {2}}, {"w": 2})


def test_a_record_below_the_limit_is_stored(pod: Pod, low: int) -> None:
    pod.append("w", pod.line("w", "x" * (low - 1000)) + pod.line("w", "x" * (low - 1000)))
    pod.drain()

    assert pod.made() == {"w": {1, 2}}


@pytest.mark.parametrize("mebibytes", [15, 80], ids=["shipped", "passed-over"])
def test_a_large_record_fits_into_the_shippers_memory(pod: Pod, tmp_path: Path, mebibytes: int) -> None:
    (tmp_path / UID).mkdir()
    with (tmp_path / UID / "w.spool").open("wb") as spool:
        spool.write(bytes(pod.files[f"{UID}/w.spool"]))
        spool.write(pod.line("w", "\U0001f600" + "x" * mebibytes * MEBIBYTE) + pod.line("w"))
    shipper = Shipper(
        SpoolFolder(tmp_path), pod,
        unix_nano=lambda: 1, monotonic=lambda: 0.0,
        wait=lambda seconds: True, chance=lambda: 0.5, say=pod.said.append, drain_seconds=50,
    )  # fmt: skip
    tracemalloc.start()
    try:
        assert shipper.run() == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The container may take 256 MiB.
    assert peak < 128 * MEBIBYTE
    assert 2 in pod.made()["w"]


def test_output_of_many_short_lines_fits_into_the_shippers_memory(pod: Pod) -> None:
    pod.append("w", b"\n" * 100_000, "out")
    largest: list[int] = []
    pod.on_post = lambda: largest.append(max(len(body) for _, body in pod.stored))
    pod.drain()

    assert len(pod.recovered_lines()) == 100_000
    assert max(largest) < 4 * MEBIBYTE


def test_the_largest_request_is_one_that_the_collector_reads() -> None:
    configuration = collector_configuration(a_run({"record": {"uri": "s3://runs/ml"}}))
    largest = configuration["receivers"]["otlp"]["protocols"]["http"]["max_request_body_size"]

    assert largest > 2 * (BATCH_BYTES + LINE_LIMIT)


def test_the_spool_of_a_record_that_was_passed_over_is_released(pod: Pod, low: int) -> None:
    pod.append("w", pod.line("w", "x" * low))
    pod.shipper(waits=[nothing, nothing]).run()

    assert b"x" * 100 not in pod.files[f"{UID}/w.spool"]
