"""Which numbered records were read already, exactly, in little memory: as ranges. Pure.

A process numbers its records from 1, and they lie nearly in their order, so that a few ranges hold them
however many there are.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Hashable
from heapq import merge
from typing import Final

__all__ = ["NumbersSeen", "Ranges"]

_LATE: Final = 4096


class Ranges:
    """A set of whole numbers from 0 to 2**64 - 2.

    >>> seen = Ranges()
    >>> [seen.add(number) for number in (1, 2, 4, 2, 3)]
    [True, True, True, False, True]
    >>> len(seen.ranges())
    1
    """

    __slots__ = ("_ends", "_late", "_starts")

    def __init__(self) -> None:
        self._starts, self._ends = array("Q"), array("Q")
        self._late: set[int] = set()
        """Numbers below the last range that are in none yet: to put one in its place moves all others."""

    def __contains__(self, number: int) -> bool:
        if number in self._late:
            return True
        at = bisect_right(self._starts, number)
        return at > 0 and number < self._ends[at - 1]

    def add(self, number: int) -> bool:
        """Add a number; return whether it was not there."""
        starts, ends = self._starts, self._ends
        if not ends or number > ends[-1]:
            starts.append(number)
            ends.append(number + 1)
        elif number == ends[-1]:  # nearly always: the next one
            ends[-1] = number + 1
        elif number in self:
            return False
        else:
            self._late.add(number)
            if len(self._late) > _LATE + len(starts) // 4:
                self._settle()
        return True

    def _settle(self) -> None:
        """Put the late ones in their places."""
        starts, ends = array("Q"), array("Q")
        late = ((number, number + 1) for number in sorted(self._late))
        for start, end in merge(zip(self._starts, self._ends, strict=True), late):
            if ends and start <= ends[-1]:
                ends[-1] = end
            else:
                starts.append(start)
                ends.append(end)
        self._starts, self._ends = starts, ends
        self._late.clear()

    def add_range(self, start: int, end: int) -> bool:
        """Add the numbers from `start` up to `end`, which is not one of them; return whether any was new."""
        if self._late:
            self._settle()
        starts, ends = self._starts, self._ends
        if starts and start == ends[-1]:
            ends[-1] = end
            return True
        at = bisect_right(starts, start)
        if at and end <= ends[at - 1]:
            return False
        first = at - 1 if at and ends[at - 1] >= start else at
        last = bisect_right(starts, end)
        if first < last:
            start, end = min(start, starts[first]), max(end, ends[last - 1])
        starts[first:last] = array("Q", [start])
        ends[first:last] = array("Q", [end])
        return True

    def ranges(self) -> list[tuple[int, int]]:
        """Return its ranges, each with the number after its last."""
        self._settle()
        return list(zip(self._starts, self._ends, strict=True))


class NumbersSeen:
    """Numbers that were seen of each process."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[Hashable, Ranges] = {}

    def __contains__(self, key: tuple[Hashable, int]) -> bool:
        seen = self._of.get(key[0])
        return seen is not None and key[1] in seen

    def add(self, process: Hashable, number: int) -> bool:
        """Add one; return whether it was not there."""
        seen = self._of.get(process)
        if seen is None:
            seen = self._of[process] = Ranges()
        return seen.add(number)

    def update(self, other: NumbersSeen) -> None:
        """Add all that another has."""
        for process, ranges in other._of.items():
            mine = self._of.setdefault(process, Ranges())
            for start, end in ranges.ranges():
                mine.add_range(start, end)
