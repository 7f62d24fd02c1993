"""A timetable: the minutes at which some expressions are due in a time zone, daylight saving included.

Minutes are of UTC, since 1970: each is there once, whatever the clocks do. Between two changes of the
clocks a wall clock is UTC and an offset, so that searching and counting go by the calendar
(`MinutePattern`) in pieces that lie one after another.

- An expression of times of the day: what a change of the clocks skips is due at once after it
  (`Skipped.SHIFT`), or not at all; what comes twice is due at the first, the last, both or none.
- An expression of intervals, with an hour that begins from `*`: it runs on through both hours, and what
  is skipped never was. Rules for the others would make gaps and doubles of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Final, NamedTuple

from vaportrail.scheduling.cron_expression import CronExpression, parse_expression
from vaportrail.scheduling.minute_pattern import DAY, MinutePattern
from vaportrail.scheduling.time_zones import Change, changes_between, offset_at, require_zone

__all__ = ["HORIZON", "Doubled", "Skipped", "Timetable"]

HORIZON: Final = 3_700 * DAY
"""How far a search looks: ten years, more than from a 29 February to the next but one."""
_MARGIN: Final = 2 * DAY
"""No clock was ever changed by more."""
_YEAR: Final = 366 * DAY
_NO_CHANGE: Final[Change | None] = None
_FIRST, _LAST = 0, 4_000_000_000
"""The minutes that there is a timetable for: from 1970 to the year 9575."""


class Skipped(StrEnum):
    """What becomes of a time of the day that a change of the clocks skips."""

    SHIFT = "Shift"
    SKIP = "Skip"


class Doubled(StrEnum):
    """What becomes of a time of the day that comes twice."""

    FIRST = "First"
    LAST = "Last"
    BOTH = "Both"
    NONE = "None"


class _Piece(NamedTuple):
    start: int
    end: int
    offset: int
    pattern: MinutePattern
    """Of the wall clock."""


class Timetable:
    """When some expressions are due.

    Args:
        expressions: of cron; due is what any of them says.
        zone: the time zone's name.
        skipped: of times that do not exist.
        doubled: of times that come twice.

    Raises:
        ScheduleError: there is no such zone.
    """

    def __init__(
        self,
        expressions: tuple[CronExpression, ...],
        zone: str = "UTC",
        skipped: Skipped = Skipped.SHIFT,
        doubled: Doubled = Doubled.FIRST,
    ) -> None:
        require_zone(zone)
        self.zone = zone
        self._skipped, self._doubled = skipped, doubled
        self._any_day = reduce(or_, (each.minutes for each in expressions))
        self._all = MinutePattern(expressions)
        self._intervals = MinutePattern(tuple(each for each in expressions if each.wildcard_hour))
        self._times = MinutePattern(tuple(each for each in expressions if not each.wildcard_hour))

    def next(self, after: int) -> int | None:
        """Return the first tick after a minute, or None where none comes within ten years."""
        low, end = after + 1, after + 1 + HORIZON
        while low < end:
            high = min(low + _YEAR, end)
            for piece in self._pieces(low, high):
                found = piece.pattern.first(piece.start + piece.offset, piece.end + piece.offset)
                if found is not None:
                    return found - piece.offset
            low = high
        return None

    def previous(self, before: int, after: int | None = None) -> int | None:
        """Return the last tick before a minute, or None where there is none.

        Args:
            before: the minute.
            after: how far to look; ten years unless given.
        """
        high, end = before, before - HORIZON if after is None else after + 1
        while high > end:
            low = max(high - _YEAR, end)
            for piece in reversed([*self._pieces(low, high)]):
                found = piece.pattern.last(piece.start + piece.offset, piece.end + piece.offset)
                if found is not None:
                    return found - piece.offset
            high = low
        return None

    def count(self, after: int, until: int) -> int:
        """Return how many ticks there are after a minute until another, which counts."""
        pieces = self._pieces(after + 1, until + 1)
        return sum(each.pattern.count(each.start + each.offset, each.end + each.offset) for each in pieces)

    def between(self, after: int, until: int) -> Iterator[int]:
        """Yield the ticks after a minute until another, which counts."""
        for piece in self._pieces(after + 1, until + 1):
            for minute in piece.pattern.each(piece.start + piece.offset, piece.end + piece.offset):
                yield minute - piece.offset

    def __contains__(self, minute: int) -> bool:
        return self.count(minute - 1, minute) == 1

    def left_out(self, after: int, until: int) -> Iterator[int]:
        """Yield the minutes after one until another at which nothing is due for daylight saving's sake.

        A skipped time stands at the change, and once if there are several; of one that comes twice and is
        left out each time it is the first.
        """
        # A time that is left out at the change of the clocks is not, if something else is due then.
        for change in changes_between(self.zone, max(_FIRST, after + 1 - _MARGIN), until + _MARGIN):
            low, high = change.at + change.before, change.at + change.after
            if low < high and self._skipped is Skipped.SKIP:
                first = self._times.first(low, high)
                found = [] if first is None else [change.at]
            elif low > high and self._doubled is Doubled.NONE:
                found = [minute - change.before for minute in self._times.each(high, low)]
            else:
                found = []
            yield from (at for at in found if after < at <= until and at not in self)

    def shortest_interval(self) -> int:
        """Return the fewest minutes from one tick to the next on an ordinary day or across midnight."""
        minutes = [number for number in range(DAY) if self._any_day >> number & 1]
        return min(after - before for before, after in pairwise([*minutes, minutes[0] + DAY]))

    def _pieces(self, low: int, high: int) -> Iterator[_Piece]:
        """Yield the pieces from one minute up to another, without those that have no tick."""
        low, high = max(low, _FIRST), min(high, _LAST)
        if low >= high:
            return
        for piece in self._whole_pieces(low, high):
            start, end = max(piece.start, low), min(piece.end, high)
            if start < end and piece.pattern:
                yield piece._replace(start=start, end=end)

    def _whole_pieces(self, low: int, high: int) -> Iterator[_Piece]:
        begin = max(_FIRST, low - _MARGIN)
        changes = changes_between(self.zone, begin, high + _MARGIN)
        start, before = begin, _NO_CHANGE
        offset = changes[0].before if changes else offset_at(self.zone, begin)
        for change in [*changes, None]:
            end = high + _MARGIN if change is None else change.at
            yield from self._between_changes(start, end, offset, before, change)
            if change is not None:
                start, offset, before = change.at, change.after, change

    def _between_changes(
        self, start: int, end: int, offset: int, before: Change | None, after: Change | None
    ) -> Iterator[_Piece]:
        if before is not None and self._is_shifted_to(before):
            yield _Piece(start, start + 1, offset, _ALWAYS)
            start += 1
        # Where times of the day are left out, because they were there already or come again.
        low, high = start, end
        if before is not None and self._doubled in (Doubled.FIRST, Doubled.NONE):
            low = max(start, before.at + before.before - before.after)
        if after is not None and self._doubled in (Doubled.LAST, Doubled.NONE):
            high = min(end, after.at + after.after - after.before)
        low = min(low, end)
        high = max(low, high)
        yield _Piece(start, low, offset, self._intervals)
        yield _Piece(low, high, offset, self._all)
        yield _Piece(high, end, offset, self._intervals)

    def _is_shifted_to(self, change: Change) -> bool:
        if self._skipped is not Skipped.SHIFT or change.after <= change.before:
            return False
        return self._times.first(change.at + change.before, change.at + change.after) is not None


_ALWAYS: Final = MinutePattern((parse_expression("* * * * *"),))
