"""Output as blocks of lines: no byte lost, the same lines whatever pieces it arrives in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.line_by_line import lines_of_output

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.output import (
    RAY_MARKS,
    RAY_PROGRESS,
    OutputWatch,
    block_values,
    end_values,
)
from vaportrail.telemetry.output_blocks import BLOCK_BYTES, Block, lines_without_secrets, split_blocks
from vaportrail.telemetry.redact import Redactor
from vaportrail.telemetry.secret_digests import Withheld

ATTEMPT = {c.TASK_RUN_ID: "t-1", c.ATTEMPT: 1, "traceId": "t", "spanId": "s"}
OUTPUT = st.lists(
    st.sampled_from(
        [b"a", b"line", "é".encode(), b"\n", b"\n\n", b"\r\n", b" ", b"\xff", b"\r", b":job_id:1\n"]
    ),
    max_size=30,
).map(b"".join)
SECRETS = Redactor({"s3cret-value": "[redacted:TOKEN]"})


class Output(bytes):
    """Much output, of which a failing test shows the beginning."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes: {self[:40]!r}>"


def long_output(seed: int) -> Output:
    """Return a few pieces of output, each again and again."""
    chance = Random(seed)
    kinds = [b"x", b"\n", b"y\n", b"\r50%", b"s3cret-value"]
    pieces = (chance.choice(kinds) * chance.randrange(20_000) for _ in range(chance.randrange(7)))
    return Output(b"".join(pieces))


def blocks(raw: bytes, start: int = 0, *, final: bool = True) -> list[Block]:
    return list(split_blocks(raw, start, final=final))


def lines(found: list[Block]) -> list[str]:
    return [line for block in found if block.text is not None for line in block.text.split("\n")]


@given(OUTPUT, st.integers(0, 1000))
def test_the_lines_of_an_output_are_the_lines_of_its_text(raw: bytes, start: int) -> None:
    assert lines(blocks(raw, start)) == lines_of_output(raw)


@given(OUTPUT, st.integers(0, 1000))
def test_offsets_grow_and_end_with_the_output(raw: bytes, start: int) -> None:
    ends = [block.end for block in blocks(raw, start)]
    assert ends == sorted(set(ends))
    assert (ends[-1] if ends else start) == start + len(raw)


@given(OUTPUT)
def test_only_a_last_line_without_its_end_is_partial(raw: bytes) -> None:
    partial = [block.partial for block in blocks(raw)]
    assert partial[:-1] == [False] * (len(partial) - 1 if partial else 0)
    assert not partial or partial[-1] is not raw.endswith(b"\n")


@given(OUTPUT, st.integers(0, 40))
def test_an_output_that_arrives_in_two_pieces_gives_the_same_lines(raw: bytes, cut: int) -> None:
    first = blocks(raw[:cut], final=False)
    done = first[-1].end if first else 0
    assert lines(first) + lines(blocks(raw[done:], done)) == lines(blocks(raw))


def read_in_pieces(raw: bytes, sizes: list[int]) -> Iterator[Block]:
    """Yield blocks as whoever reads a file in pieces gets them."""
    arrived = done = 0
    for size in [*sizes, len(raw)]:
        arrived = min(len(raw), arrived + size)
        final = arrived == len(raw)
        for block in split_blocks(raw[done:arrived], done, final=final, waiting=True, secrets=SECRETS):
            done = block.end
            yield block


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32).map(long_output), st.lists(st.integers(1, 150_000), max_size=6))
def test_how_blocks_are_cut_does_not_depend_on_the_pieces_that_are_read(raw: bytes, sizes: list[int]) -> None:
    assert list(read_in_pieces(raw, sizes)) == list(split_blocks(raw, 0, final=True, secrets=SECRETS))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32).map(long_output))
def test_no_block_is_longer_than_its_limit_and_none_could_hold_the_next_line_too(raw: bytes) -> None:
    begin = 0
    for block in blocks(raw):
        assert block.end - begin <= BLOCK_BYTES
        after = raw[begin : begin + BLOCK_BYTES]
        assert block.partial or raw[begin : block.end].count(b"\n") == after.count(b"\n")
        begin = block.end


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3 * BLOCK_BYTES), st.booleans())
def test_a_long_line_is_cut_and_joins_to_itself(length: int, ended: bool) -> None:
    raw = b"x" * length + b"\n" * ended
    found = blocks(raw)
    assert "".join(lines(found)) == "x" * length
    assert all(len(block.text or "") <= BLOCK_BYTES for block in found)
    assert [block.partial for block in found] == [True] * (len(found) - ended) + [False] * ended


@pytest.mark.parametrize("final", [True, False])
def test_a_very_long_line_takes_no_longer_a_byte_than_a_short_one(final: bool) -> None:
    raw = b"x" * (64 << 20)
    begin = time.process_time()
    found = sum(1 for _ in split_blocks(raw, 0, final=final))

    assert found == len(raw) // BLOCK_BYTES
    assert time.process_time() - begin < 3


def test_many_lines_are_few_blocks() -> None:
    raw = b"".join(b"%030d\n" % number for number in range(200_000))

    assert len(blocks(raw)) <= len(raw) // (BLOCK_BYTES - 31) + 1


def test_a_long_line_is_not_waited_for() -> None:
    assert blocks(b"x" * BLOCK_BYTES, final=False) == [Block("x" * BLOCK_BYTES, BLOCK_BYTES, True)]


@pytest.mark.parametrize("length", [1, BLOCK_BYTES - 1])
def test_a_short_line_without_its_end_is_waited_for(length: int) -> None:
    assert blocks(b"x" * length, final=False) == []


def test_empty_lines_are_lines() -> None:
    assert blocks(b"\n") == [Block("", 1, False)]
    assert blocks(b"\n\n\n") == [Block("\n\n", 3, False)]


@pytest.mark.parametrize(
    ("text", "is_mark"),
    [
        (":task_name:f", True),
        (":actor_name:A", True),
        (":job_id:01000000", True),
        (" :job_id:01000000", False),
        ("job_id", False),
        ("", False),
    ],
    ids=repr,
)
def test_rays_own_marks_are_known_and_lines_around_them_stay(text: str, is_mark: bool) -> None:
    raw = f"before\n{text}\nafter\n".encode()
    (block,) = split_blocks(raw, 0, final=True, passed_over=RAY_MARKS)

    assert block.text == ("before\nafter" if is_mark else f"before\n{text}\nafter")
    assert block.end == len(raw)


def test_a_block_of_marks_alone_is_passed_over_and_not_read_again() -> None:
    raw = b":job_id:1\n:task_name:f\n"

    assert list(split_blocks(raw, 3, final=True, passed_over=RAY_MARKS)) == [Block(None, 3 + len(raw), False)]


def test_a_block_says_its_stream_and_place() -> None:
    assert block_values("stderr", Block("x", 12, False)) == {
        "log.iostream": "stderr",
        "vaportrail.stream.offset": 12,
        "vaportrail.stream.partial": None,
    }


def test_a_cut_line_says_so() -> None:
    assert block_values("stdout", Block("x", 12, True))["vaportrail.stream.partial"] is True


@pytest.mark.parametrize(
    ("printed", "recorded"),
    [
        (b"\r 0%|  |\r50%|# |\r100%|##|\n", "100%|##|"),
        (b"1/3\r2/3\r3/3\r\n", "3/3"),
        (b"working\r       \rdone\n", "done"),
        (b"99%\r   \r\n", "99%"),
        (b"Windows\r\n", "Windows"),
        (b"\r\n", ""),
    ],
)
def test_a_line_that_overwrites_itself_is_its_last_state(printed: bytes, recorded: str) -> None:
    assert [block.text for block in blocks(printed)] == [recorded]
    assert lines(blocks(b"before\n" + printed + b"after\n")) == ["before", recorded, "after"]


def test_a_bar_of_many_frames_is_few_records_cut_between_them() -> None:
    raw = b"".join(b"\r%6d of 30000" % step for step in range(30_000)) + b"\n"
    found = blocks(raw)

    assert len(found) == len(raw) // BLOCK_BYTES + 1
    assert [len(block.text or "") for block in found] == [15] * len(found)
    assert (found[-1].text, found[-1].end) == (" 29999 of 30000", len(raw))


def test_the_state_of_a_bar_is_told_before_its_line_ends() -> None:
    raw = b"\r10%\r20%\r3"
    (block,) = split_blocks(raw, 7, final=False, frames=True)

    assert block == Block("20%", 7 + len(raw) - 1, True)


def test_a_carriage_return_that_may_be_half_a_lines_end_is_waited_for() -> None:
    assert list(split_blocks(b"a line\r", 0, final=False, frames=True)) == []


def test_a_line_without_its_end_that_does_not_overwrite_itself_is_waited_for() -> None:
    assert list(split_blocks(b"...", 0, final=False, frames=True)) == []


@given(st.lists(st.sampled_from(["s3cret-value", "a ", "b", "s3cret", "\n", "-value"]), max_size=20))
def test_secrets_are_taken_out_line_by_line(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert lines_without_secrets(text, SECRETS).split("\n") == [SECRETS(line) for line in text.split("\n")]


def test_a_secret_of_short_lines_is_found_across_them_and_they_stay_as_many() -> None:
    secrets = Redactor({"one\ntwo\nsix": "[redacted:KEY]"})

    assert lines_without_secrets("a one\ntwo\nsix b\nc", secrets).split("\n") == [
        "a [redacted:KEY]",
        "[redacted:KEY]",
        "[redacted:KEY] b",
        "c",
    ]


def test_a_block_whose_secrets_are_not_known_is_withheld_line_by_line() -> None:
    assert lines_without_secrets("a\n\nb", Withheld()).split("\n") == [Withheld()("a"), "", Withheld()("b")]


def test_what_stands_for_secrets_cuts_nothing_off_a_block() -> None:
    name = "[redacted:" + "N" * 2000 + "]"
    raw = b"s3cret-value 1\ns3cret-value 2\n" * 2000
    found = list(split_blocks(raw, 0, final=True, secrets=Redactor({"s3cret-value": name})))

    assert lines(found) == [f"{name} 1", f"{name} 2"] * 2000
    assert max(len(block.text or "") for block in found) < 1 << 20
    assert found[-1].end == len(raw)


def test_the_messages_of_rays_progress_bars_are_no_lines_of_an_attempt() -> None:
    busy = OutputWatch(attempt=ATTEMPT)
    raw = RAY_PROGRESS[0].encode() + b', "x": 1, "total": 2}\nof the user\n'

    assert [found.text for found in busy.rest("w", "stdout", raw)] == ["of the user"]


def ended_behind(end: int) -> OutputWatch:
    """Return what is known of a process whose attempt ended before all it had printed was on record."""
    watch = OutputWatch(attempt=ATTEMPT)
    watch.see("T", {"spanId": "s"}, end_values({"stdout": end, "stderr": 0}))
    return watch


@pytest.mark.parametrize("pieces", [1, 2, 5], ids=lambda count: f"in {count} pieces")
def test_what_an_attempt_left_unrecorded_is_its_own_up_to_its_end(pieces: int) -> None:
    raw = b":job_id: of the user\nits last\n" + b":job_id:1\nnobody's\n"
    watch = ended_behind(len(b":job_id: of the user\nits last\n"))
    found = []
    for number in range(pieces):
        last = number == pieces - 1
        begin = watch.read.get("stdout", 0)
        arrived = len(raw) if last else len(raw) * (number + 1) // pieces
        found += list(watch.rest("w", "stdout", raw[begin:arrived], final=last))

    owned = [(each.text, each.values.get(c.TASK_RUN_ID), each.span_id) for each in found]
    assert [(line, task, span) for text, task, span in owned for line in text.split("\n")] == [
        (":job_id: of the user", "t-1", "s"),
        ("its last", "t-1", "s"),
        ("nobody's", None, ""),
    ]


def test_a_last_line_without_its_end_does_not_run_into_what_is_printed_after_its_attempt() -> None:
    watch = ended_behind(len(b"no end"))
    found = list(watch.rest("w", "stdout", b"no endof nobody\n"))

    assert [(each.text, each.values.get(c.TASK_RUN_ID)) for each in found] == [
        ("no end", "t-1"),
        ("of nobody", None),
    ]


def test_an_attempt_that_ended_with_all_on_record_owns_nothing_more() -> None:
    watch = OutputWatch(attempt=ATTEMPT)
    watch.see("T", {"spanId": "s"}, {})

    assert [each.values.get(c.TASK_RUN_ID) for each in watch.rest("w", "stdout", b"late\n")] == [None]
