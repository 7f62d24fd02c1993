"""A field of a cron expression: numbers, names, ranges, steps and lists, as a set of bits.

What other dialects have beyond that is refused by its name: taken for something else, it would run at
the wrong time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vaportrail.errors import ScheduleError

__all__ = ["FIELDS", "Field", "FieldValues", "parse_field"]

_NUMBER: Final = re.compile(r"[0-9]{1,4}")
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five.

    Attributes:
        name: what messages call it.
        low: the least number.
        high: the greatest that `*` means.
        names: what may stand for numbers, in small letters.
        most: the greatest number that may be written.
    """

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    most: int = 0

    @property
    def limit(self) -> int:
        """The greatest number that may be written."""
        return self.most or self.high


@dataclass(frozen=True, slots=True)
class FieldValues:
    """What a field allows.

    Attributes:
        bits: a bit for each number.
        all: whether it says that any will do, by `*`: it restricts nothing.
        wildcard: whether it begins from `*`, also with a step.
    """

    bits: int
    all: bool
    wildcard: bool


_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS: Final = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    Field("day of the week", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}, most=7),
)
"""In the order in which they stand."""

_FOREIGN: Final = (
    (re.compile(r"#"), "'#', the n-th weekday of a month, is not supported; use days such as 8-14"),
    (re.compile(r"\?"), "'?' is not supported; use '*'"),
    (re.compile(r"^[0-9]*L|L$|L-[0-9]+$"), "'L', the last day, is not supported; use a day such as 28"),
    (re.compile(r"^(L|[0-9]+)W$"), "'W', the nearest weekday, is not supported; use a day such as 15"),
    (re.compile(r"^H([(/]|$)"), "'H', a hash, is not supported; use a number, and jitterSeconds"),
    (re.compile(r"~"), "'~', a random number, is not supported; use a number, and jitterSeconds"),
)
"""What other dialects have, and what to write."""


def parse_field(kind: Field, text: str) -> FieldValues:
    """Return what a field allows.

    Raises:
        ScheduleError: it is not right; the message says what stands there, and what to write.
    """
    bits, every, wildcard = 0, False, False
    for item in text.split(","):
        found, plain, star = _item(kind, item)
        bits |= found
        every |= plain
        wildcard |= star
    return FieldValues(bits, every, wildcard)


def _item(kind: Field, item: str) -> tuple[int, bool, bool]:
    span, slash, steps = item.partition("/")
    step = _step(kind, item, steps) if slash else 1
    star = span == "*"
    if star:
        first, last = kind.low, kind.high
    else:
        low, dash, high = span.partition("-")
        first = _number(kind, item, low)
        last = _number(kind, item, high) if dash else (kind.high if slash else first)
        if dash and high.lower() == "sun" and first > 0:
            last = 7
        last = max(first, last) if not dash else last
    if first > last:
        parts = f"{_span(first, kind.high)},{_span(kind.low, last)}"
        raise _wrong(kind, item, f"runs backwards; write {parts}")
    bits = sum(1 << number for number in range(first, last + 1, step))
    if kind.limit > kind.high and bits >> kind.limit:
        # Sunday has two numbers.
        bits = bits & ~(1 << kind.limit) | 1 << kind.low
    return bits, star and step == 1, star


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _step(kind: Field, item: str, text: str) -> int:
    if not _NUMBER.fullmatch(text) or not int(text):
        raise _wrong(kind, item, "a step is a whole number from 1 on, such as */15")
    return int(text)


def _number(kind: Field, item: str, text: str) -> int:
    if text.lower() in kind.names:
        return kind.names[text.lower()]
    for foreign, fix in _FOREIGN:
        if foreign.search(text):
            raise _wrong(kind, item, fix)
    if not _NUMBER.fullmatch(text):
        words = f", or {' '.join(kind.names)}" if kind.names else ""
        raise _wrong(kind, item, f"use numbers from {kind.low} to {kind.limit}{words}")
    number = int(text)
    if not kind.low <= number <= kind.limit:
        raise _wrong(kind, item, f"use {kind.low} to {kind.limit}")
    return number


def _wrong(kind: Field, item: str, fix: str) -> ScheduleError:
    shown = item if len(item) <= _SHOWN else f"{item[:_SHOWN]}…"
    return ScheduleError(f"{kind.name}: {shown!r}: {fix}")
