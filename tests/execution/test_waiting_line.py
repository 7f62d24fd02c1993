"""Attempts go in their order: quick ones several as one, all others as they come."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from vaportrail.execution.pace import LARGEST, Pace
from vaportrail.execution.waiting_line import BUNDLES_PER_CPU, WaitingLine


@dataclass(eq=False)
class Attempt:
    number: int
    together: int


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 5, LARGEST]), st.integers(0, 5)), max_size=80),
    st.integers(0, 4),
)
def test_whatever_comes_goes_once_in_its_order_and_no_cpu_waits(
    puts: list[tuple[int, int]], slots: int
) -> None:
    line: WaitingLine[Attempt] = WaitingLine(slots)
    enough, with_ray = BUNDLES_PER_CPU * max(1, slots), 0
    gone: list[int] = []
    for number, (together, ended) in enumerate(puts):
        line.put(Attempt(number, together))
        with_ray = max(0, with_ray - ended)
        waiting = len(line)
        for group in line.take(with_ray=with_ray):
            gone += [attempt.number for attempt in group]
            assert len(group) <= min(attempt.together for attempt in group)
            assert len(group) <= max(1, waiting // enough)
            waiting -= len(group)
            with_ray += 1
        assert with_ray >= enough or not len(line)
        assert together > 1 or not len(line)
    for group in line.take(with_ray=with_ray, everything=True):
        gone += [attempt.number for attempt in group]

    assert gone == list(range(len(puts)))
    assert len(line) == 0


def test_those_that_come_back_are_the_next() -> None:
    line: WaitingLine[Attempt] = WaitingLine(1)
    for number in range(4):
        line.put(Attempt(number, LARGEST))
    line.put_back([Attempt(10, LARGEST), Attempt(11, LARGEST)])

    assert [a.number for group in line.take(with_ray=0, everything=True) for a in group] == [
        10,
        11,
        0,
        1,
        2,
        3,
    ]


def test_what_is_taken_out_does_not_go() -> None:
    line: WaitingLine[Attempt] = WaitingLine(1)
    attempt = Attempt(0, LARGEST)
    line.put(attempt)

    assert line.remove(attempt)
    assert not line.remove(attempt)
    assert line.take(with_ray=0) == []


def test_as_many_go_together_as_were_quick_one_after_the_other() -> None:
    pace = Pace()
    sizes = []
    for _ in range(40):
        sizes.append(pace.together)
        pace.was_quick()
    assert sizes[:5] == [1, 1, 2, 2, 3]
    assert sizes[-1] == LARGEST
    pace.was_slow()
    assert 1 < pace.together <= LARGEST / 2
    for _ in range(4):
        pace.was_slow()
    assert pace.together == 1
