"""Which numbers were seen is told exactly, in the memory of a few ranges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaportrail.record import numbers_seen
from vaportrail.record.numbers_seen import NumbersSeen, Ranges


@pytest.fixture(autouse=True, params=[0, 4096], ids=["few late", "many late"])
def late(request: pytest.FixtureRequest) -> Iterator[None]:
    """How many numbers wait for their places."""
    before = numbers_seen._LATE
    numbers_seen._LATE = request.param  # type: ignore[misc]
    yield
    numbers_seen._LATE = before  # type: ignore[misc]


NUMBERS = st.integers(0, 40) | st.integers(0, 2**63)


@given(st.lists(NUMBERS))
def test_a_number_is_new_once(numbers: list[int]) -> None:
    ranges, seen = Ranges(), set[int]()
    for number in numbers:
        assert (number in ranges) == (number in seen)
        assert ranges.add(number) == (number not in seen)
        seen.add(number)

    assert {number for number in numbers if number in ranges} == seen
    assert sum(end - start for start, end in ranges.ranges()) == len(seen)


@given(st.lists(NUMBERS))
def test_ranges_are_in_order_and_do_not_touch(numbers: list[int]) -> None:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)
    found = ranges.ranges()

    assert all(start < end for start, end in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


def test_numbers_in_nearly_their_order_are_one_range_however_many_there_are() -> None:
    ranges = Ranges()
    for number in range(0, 100_000, 2):
        assert ranges.add(number + 1)
        assert ranges.add(number)

    assert ranges.ranges() == [(0, 100_000)]


def test_numbers_that_come_backwards_cost_no_more_each_the_more_there_are() -> None:
    def seconds(count: int) -> float:
        ranges = Ranges()
        begun = time.process_time()
        for number in range(2 * count, 0, -2):
            ranges.add(number)
        return time.process_time() - begun

    assert seconds(160_000) < 8 * 4 * max(seconds(20_000), 0.005)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), NUMBERS)), st.lists(st.tuples(st.sampled_from("ab"), NUMBERS))
)
def test_what_another_has_seen_is_added(one: list[tuple[str, int]], other: list[tuple[str, int]]) -> None:
    mine, theirs = NumbersSeen(), NumbersSeen()
    for key in one:
        mine.add(*key)
    for key in other:
        theirs.add(*key)
    mine.update(theirs)

    assert all(key in mine for key in (*one, *other))
    assert all((key in mine) == (key in {*one, *other}) for key in [("a", 0), ("b", 1), ("c", 2)])
