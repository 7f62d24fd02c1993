"""Output as lines: no byte lost, whatever pieces it arrives in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.telemetry.output import Line, is_ray_mark, line_values, split_lines

LIMIT = 64 * 1024
OUTPUT = st.lists(
    st.sampled_from([b"a", b"line", "é".encode(), b"\n", b"\n\n", b"\r\n", b" ", b"\xff"]), max_size=30
).map(b"".join)


def lines(raw: bytes, start: int = 0, *, final: bool = True) -> list[Line]:
    return list(split_lines(raw, start, final=final))


@given(OUTPUT, st.integers(0, 1000))
def test_the_lines_of_an_output_are_the_lines_of_its_text(raw: bytes, start: int) -> None:
    text = raw.decode("utf-8", "backslashreplace")
    expected = [line.rstrip("\r") for line in text.split("\n")]
    assert [line.text for line in lines(raw, start)] == (expected if expected[-1] else expected[:-1])


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


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3 * LIMIT), st.booleans())
def test_a_long_line_is_cut_and_joins_to_itself(length: int, ended: bool) -> None:
    raw = b"x" * length + b"\n" * ended
    found = lines(raw)
    assert "".join(line.text for line in found) == "x" * length
    assert all(len(line.text) <= LIMIT for line in found)
    assert [line.partial for line in found] == [True] * (len(found) - ended) + [False] * ended


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
