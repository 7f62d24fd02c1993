"""What a spool lost is counted: exactly where the ledger says how much was made, else as unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaportrail.record.manifest import Counts
from vaportrail.record.reading.read import open_run
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

if TYPE_CHECKING:
    from tests.conftest import Sealed
    from tests.record.conftest import Unseal, Unsealed

WITHOUT_LOSS = ("None", 0, 0)


def loss(counts: Counts) -> tuple[str, int, int]:
    """Return the word for the loss, and how many log records and spans are lost."""
    return counts.loss, counts.logs.lost, counts.spans.lost


def kind(line: bytes) -> str:
    return line.split(b" ")[2].decode()


def numbers_of(lines: list[bytes], wanted: str) -> list[int]:
    """Return which lines after the header are of a kind."""
    return [number for number, line in enumerate(lines) if number and kind(line) == wanted]


@pytest.mark.parametrize("fixture", ["small", "failures", "mnist"])
def test_a_run_whose_processes_could_all_write_loses_nothing(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    made: Sealed = request.getfixturevalue(fixture)

    assert loss(made.run.facts.counts) == WITHOUT_LOSS


def test_an_unharmed_spool_loses_nothing(unsealed: Unsealed) -> None:
    assert loss(unsealed.seal().manifest.counts) == WITHOUT_LOSS


@pytest.mark.parametrize("count", [1, 2, 5])
def test_log_lines_that_are_cut_out_are_counted(unsealed: Unsealed, count: int) -> None:
    lines = unsealed.lines("worker")
    cut = numbers_of(lines, "L")[:count]
    unsealed.write("worker", [line for number, line in enumerate(lines) if number not in cut])

    assert loss(unsealed.seal().manifest.counts) == ("Counted", count, 0)


def test_a_span_that_is_cut_out_is_counted(unsealed: Unsealed) -> None:
    lines = unsealed.lines("worker")
    cut = numbers_of(lines, "T")[0]
    unsealed.write("worker", lines[:cut] + lines[cut + 1 :])

    assert loss(unsealed.seal().manifest.counts) == ("Counted", 0, 1)


def test_a_span_that_is_cut_out_is_closed_by_the_sealer(unsealed: Unsealed) -> None:
    lines = unsealed.lines("worker")
    cut = numbers_of(lines, "T")[0]
    unsealed.write("worker", lines[:cut] + lines[cut + 1 :])

    assert unsealed.seal().manifest.counts.synthesised_spans == 1


def test_a_torn_last_line_is_counted(unsealed: Unsealed) -> None:
    lines = unsealed.lines("worker")
    last = kind(lines[-1])
    unsealed.write("worker", [*lines[:-1], lines[-1][: len(lines[-1]) // 2]])

    assert loss(unsealed.seal().manifest.counts) == ("Counted", int(last == "L"), int(last == "T"))


@pytest.mark.parametrize("at", [0, 9, 12, 14, 60, -2], ids=lambda at: f"byte {at}")
def test_a_line_with_a_changed_byte_is_left_out_and_counted(unsealed: Unsealed, at: int) -> None:
    lines = unsealed.lines("worker")
    number = numbers_of(lines, "L")[3]
    line = bytearray(lines[number])
    line[at] ^= 0x01
    unsealed.write("worker", [*lines[:number], bytes(line), *lines[number + 1 :]])

    assert loss(unsealed.seal().manifest.counts) == ("Counted", 1, 0)


def test_a_line_that_stands_twice_is_one_record(unsealed: Unsealed) -> None:
    lines = unsealed.lines("worker")
    unsealed.write("worker", [*lines, lines[2], lines[2]])

    assert loss(unsealed.seal().manifest.counts) == WITHOUT_LOSS


def test_a_foreign_line_is_left_out(unsealed: Unsealed) -> None:
    unsealed.write("worker", [*unsealed.lines("worker"), b"nothing of ours\n", b"\x00\xff\n", b"\n"])

    assert loss(unsealed.seal().manifest.counts) == WITHOUT_LOSS


@pytest.mark.parametrize(
    "damage", [None, b"", b"short", 32 * b"x"], ids=["gone", "empty", "short", "foreign"]
)
def test_a_ledger_that_is_no_good_makes_the_loss_unknown(unsealed: Unsealed, damage: bytes | None) -> None:
    ledger = unsealed.file("worker", "ledger")
    ledger.unlink() if damage is None else ledger.write_bytes(damage)

    assert unsealed.seal().manifest.counts.loss == "Unknown"


def test_a_record_with_loss_is_whole_nevertheless(unsealed: Unsealed) -> None:
    unsealed.write("worker", unsealed.lines("worker")[:-4])
    unsealed.seal()

    assert verify(open_store(str(unsealed.record)), "record").problems == []


def test_output_that_its_process_did_not_record_is_recovered(unsealed: Unsealed) -> None:
    with unsealed.file("worker", "out").open("ab") as file:
        file.write(b"the last words\nhalf a li")

    assert unsealed.seal().manifest.counts.recovered_lines == 2


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_lines_are_lost_they_are_counted_exactly(
    small: Sealed, unseal: Unseal, data: st.DataObject
) -> None:
    unsealed = unseal(small)
    cut = {"L": 0, "T": 0, "M": 0}
    for role in ("worker", "kernel", "runner"):
        lines = unsealed.lines(role)
        # The runner's second line says which run this is.
        first = 2 if role == "runner" else 1
        chosen = data.draw(st.sets(st.integers(first, len(lines) - 1)), label=f"lines of the {role}")
        for number in chosen:
            cut[kind(lines[number])] += 1
        unsealed.write(role, [line for number, line in enumerate(lines) if number not in chosen])

    counts = unsealed.seal().manifest.counts

    assert (counts.logs.lost, counts.spans.lost) == (cut["L"], cut["T"])
    assert counts.loss == ("Counted" if any(cut.values()) else "None")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_record_of_any_remaining_lines_can_be_rebuilt_from_its_files(
    small: Sealed, unseal: Unseal, data: st.DataObject
) -> None:
    from vaportrail.record.verify import rebuild_facts, unfounded

    unsealed = unseal(small)
    for role in ("worker", "kernel", "runner"):
        lines = unsealed.lines(role)
        keep = data.draw(st.integers(2, len(lines)), label=f"how many lines of the {role} are left")
        unsealed.write(role, lines[:keep])

    manifest = unsealed.seal().manifest

    rebuilt = rebuild_facts(open_store(str(unsealed.record)), manifest)
    assert rebuilt.counts == manifest.counts
    assert unfounded(open_store(str(unsealed.record)), manifest) == []


def test_a_runner_that_died_leaves_a_record_that_says_so(unsealed: Unsealed) -> None:
    unsealed.write("runner", unsealed.lines("runner")[:12])

    verdict = unsealed.seal().manifest.verdict

    assert verdict.outcome == "RUNNER_LOST"
    assert "the runner died" in verdict.message


def test_spans_of_a_runner_that_died_are_closed_as_lost(unsealed: Unsealed) -> None:
    unsealed.write("runner", unsealed.lines("runner")[:12])

    manifest = unsealed.seal().manifest

    assert manifest.counts.synthesised_spans > 0
    tasks = open_run(str(unsealed.record)).tasks
    assert [task.outcome for task in tasks if not task.outcome.ended] == []
