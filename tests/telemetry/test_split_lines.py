"""Output as lines: no byte lost, whatever pieces it arrives in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.output import Line, OutputWatch, is_ray_mark, line_values, split_lines

LIMIT = 64 * 1024
OUTPUT = st.lists(
    st.sampled_from([b"a", b"line", "é".encode(), b"\n", b"\n\n", b"\r\n", b" ", b"\xff", b"\r"]), max_size=30
).map(b"".join)


def lines(raw: bytes, start: int = 0, *, final: bool = True) -> list[Line]:
    return list(split_lines(raw, start, final=final))


def last_state(line: str) -> str:
    shown = [frame for frame in line.rstrip("\r").split("\r") if frame.strip(" ")]
    return shown[-1] if shown else "" if "\r" in line.rstrip("\r") else line.rstrip("\r")


@given(OUTPUT, st.integers(0, 1000))
def test_the_lines_of_an_output_are_the_lines_of_its_text(raw: bytes, start: int) -> None:
    text = raw.decode("utf-8", "backslashreplace")
    printed = text.split("\n")
    expected = [last_state(line) for line in (printed if printed[-1] else printed[:-1])]
    assert [line.text for line in lines(raw, start)] == expected


@given(OUTPUT, st.integers(0, 1000))
def test_offsets_grow_and_end_with_the_output(raw: bytes, start: int) -> None:
    ends = [line.end for line in lines(raw, start)]
    assert ends == sorted(set(ends))
    assert (ends[-1] if ends else start) == start + len(raw)


@given(OUTPUT)
def test_only_a_last_line_without_its_end_is_partial(raw: bytes) -> None:
    partial = [line.partial for line in lines(raw)]
    assert partial[:-1] == [False] * (len(partial) - 1 if partial else 0)
    assert not partial or partial[-1] is not raw.endswith(b"\n")


@given(OUTPUT, st.integers(0, 40))
def test_an_output_that_arrives_in_two_pieces_gives_the_same_lines(raw: bytes, cut: int) -> None:
    first = lines(raw[:cut], final=False)
    done = first[-1].end if first else 0
    assert first + lines(raw[done:], done) == lines(raw)


@settings(max_examples=20)
@given(st.integers(0, 3 * LIMIT), st.booleans())
def test_a_long_line_is_cut_and_joins_to_itself(length: int, ended: bool) -> None:
    raw = b"x" * length + b"\n" * ended
    found = lines(raw)
    assert "".join(line.text for line in found) == "x" * length
    assert all(len(line.text) <= LIMIT for line in found)
    assert [line.partial for line in found] == [True] * (len(found) - ended) + [False] * ended


@pytest.mark.parametrize("final", [True, False])
def test_a_very_long_line_takes_no_longer_a_byte_than_a_short_one(final: bool) -> None:
    raw = b"x" * (64 << 20)
    begin = time.process_time()
    found = sum(1 for _ in split_lines(raw, 0, final=final))

    assert found == len(raw) // LIMIT
    assert time.process_time() - begin < 3


def test_a_long_line_is_not_waited_for() -> None:
    assert lines(b"x" * LIMIT, final=False) == [Line("x" * LIMIT, LIMIT, True)]


@pytest.mark.parametrize("length", [1, LIMIT - 1])
def test_a_short_line_without_its_end_is_waited_for(length: int) -> None:
    assert lines(b"x" * length, final=False) == []


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
def test_rays_own_marks_are_known(text: str, is_mark: bool) -> None:
    assert is_ray_mark(Line(text, len(text), False)) is is_mark


def test_a_line_says_its_stream_and_place() -> None:
    assert line_values("stderr", Line("x", 12, False)) == {
        "log.iostream": "stderr",
        "vaportrail.stream.offset": 12,
        "vaportrail.stream.partial": None,
    }


def test_a_cut_line_says_so() -> None:
    assert line_values("stdout", Line("x", 12, True))["vaportrail.stream.partial"] is True


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
    assert [line.text for line in lines(printed)] == [recorded]


def test_a_bar_of_many_frames_is_cut_between_them() -> None:
    raw = b"".join(b"\r%6d of 30000" % step for step in range(30_000)) + b"\n"
    found = lines(raw)

    assert [len(line.text) for line in found] == [15] * len(found)
    assert (found[-1].text, found[-1].end) == (" 29999 of 30000", len(raw))


def test_the_state_of_a_bar_is_told_before_its_line_ends() -> None:
    raw = b"\r10%\r20%\r3"
    (line,) = split_lines(raw, 7, final=False, frames=True)

    assert line == Line("20%", 7 + len(raw) - 1, True)


def test_a_carriage_return_that_may_be_half_a_lines_end_is_waited_for() -> None:
    assert list(split_lines(b"a line\r", 0, final=False, frames=True)) == []


def test_a_line_without_its_end_that_does_not_overwrite_itself_is_waited_for() -> None:
    assert list(split_lines(b"...", 0, final=False, frames=True)) == []


def test_the_messages_of_rays_progress_bars_are_no_lines_of_an_attempt() -> None:
    busy = OutputWatch(attempt={c.TASK_RUN_ID: "t-1", c.ATTEMPT: 1})
    raw = b'{"__magic_token__": "__ray_tqdm_magic_token__", "x": 1, "total": 2}\nof the user\n'

    assert [line.text for line, _ in busy.rest("w", "stdout", raw)] == ["of the user"]
