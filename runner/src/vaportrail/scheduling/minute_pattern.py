"""Which minutes of a wall clock some expressions have: searched and counted month by month, by bits.

A minute is a number: minutes since 1970 as a clock that is never changed shows them.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from vaportrail.scheduling.cron_expression import CronExpression

__all__ = ["DAY", "MinutePattern"]

DAY: Final = 1440
"""Minutes of a day."""
_EPOCH: Final = date(1970, 1, 1).toordinal()

_Month = tuple[int, int, int, int]


class MinutePattern:
    """The minutes that any of some expressions has."""

    def __init__(self, expressions: tuple[CronExpression, ...]) -> None:
        self._expressions = expressions

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def first(self, low: int, high: int) -> int | None:
        """Return the first of its minutes from `low` on, before `high`."""
        return next(self.each(low, high), None)

    def last(self, low: int, high: int) -> int | None:
        """Return the last of its minutes before `high`, from `low` on."""
        if low >= high:
            return None
        for day in self._days(low // DAY, (high - 1) // DAY, backwards=True):
            bits = self._within(day, low, high)
            if bits:
                return day * DAY + bits.bit_length() - 1
        return None

    def each(self, low: int, high: int) -> Iterator[int]:
        """Yield its minutes from `low` on, before `high`, in their order."""
        if low >= high:
            return
        for day in self._days(low // DAY, (high - 1) // DAY):
            bits, start = self._within(day, low, high), day * DAY
            while bits:
                lowest = bits & -bits
                yield start + lowest.bit_length() - 1
                bits ^= lowest

    def count(self, low: int, high: int) -> int:
        """Return how many of its minutes there are from `low` on, before `high`."""
        if low >= high or not self._expressions:
            return 0
        first, last = low // DAY, (high - 1) // DAY
        if last - first < 2:
            return sum(self._within(day, low, high).bit_count() for day in range(first, last + 1))
        edges = sum(self._within(day, low, high).bit_count() for day in (first, last))
        return edges + self._count_of_days(first + 1, last - 1)

    def __contains__(self, minute: int) -> bool:
        day, rest = divmod(minute, DAY)
        return bool(self._minutes_of(day) >> rest & 1)

    def _within(self, day: int, low: int, high: int) -> int:
        bits, start = self._minutes_of(day), day * DAY
        if low > start:
            bits = bits >> low - start << low - start
        return bits & (1 << high - start) - 1 if high < start + DAY else bits

    def _minutes_of(self, day: int) -> int:
        on = date.fromordinal(day + _EPOCH)
        bits = 0
        for each in self._expressions:
            if each.days_of(on.year, on.month) >> on.day & 1:
                bits |= each.minutes
        return bits

    def _days(self, first: int, last: int, *, backwards: bool = False) -> Iterator[int]:
        months: Iterable[_Month] = _months(first, last)
        for year, month, start, days in reversed([*months]) if backwards else months:
            found = 0
            for each in self._expressions:
                found |= each.days_of(year, month) & days
            while found:
                bit = found.bit_length() - 1 if backwards else (found & -found).bit_length() - 1
                yield start + bit
                found ^= 1 << bit

    def _count_of_days(self, first: int, last: int) -> int:
        found = 0
        for year, month, _, days in _months(first, last):
            # Days with the same expressions have the same minutes.
            alike: dict[int, int] = {0: days}
            for each in self._expressions:
                its = each.days_of(year, month)
                parted: dict[int, int] = {}
                for minutes, of in alike.items():
                    for bits, part in ((minutes | each.minutes, of & its), (minutes, of & ~its)):
                        if part:
                            parted[bits] = parted.get(bits, 0) | part
                alike = parted
            found += sum(minutes.bit_count() * of.bit_count() for minutes, of in alike.items())
        return found


def _months(first: int, last: int) -> Iterator[_Month]:
    """Yield year, month, the number of the day before its first, and its days from `first` to `last`."""
    on = date.fromordinal(first + _EPOCH)
    year, month = on.year, on.month
    while (start := date(year, month, 1).toordinal() - 1 - _EPOCH) < last:
        length = monthrange(year, month)[1]
        low, high = max(1, first - start), min(length, last - start)
        yield year, month, start, (1 << high + 1) - (1 << low)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
