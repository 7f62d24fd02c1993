"""Expressions of cron, as CronJob reads them: five fields, `@daily` and its like, one expression a line."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from typing import Final

from vaportrail.errors import ScheduleError
from vaportrail.scheduling.cron_fields import FIELDS, parse_field

__all__ = ["EXPRESSION_LIMIT", "CronExpression", "parse_expression", "parse_expressions"]

EXPRESSION_LIMIT: Final = 16
"""Lines of a schedule."""
_LENGTH: Final = 256
_SHOWN: Final = 80

_WORDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FOREIGN_WORDS: Final = {
    "@reboot": "there is nothing to start up with; create a PipelineRun",
    "@every": "intervals that do not go by the clock are not supported; use such as */15 * * * *",
}
_WEEKS: Final = sum(1 << 7 * week for week in range(6))
_LONGEST: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class CronExpression:
    """When, by a wall clock; sets are bits.

    Attributes:
        text: as it was written.
        minutes: of the 1,440 minutes of a day.
        days: of the month, from 1.
        months: from 1.
        weekdays: from 0, Sunday.
        either: whether a day of the month or one of the week is enough, because both are restricted.
        wildcard_hour: whether its hour begins from `*`: then it means an interval, not a time of the day.
    """

    text: str
    minutes: int
    days: int
    months: int
    weekdays: int
    either: bool
    wildcard_hour: bool

    def days_of(self, year: int, month: int) -> int:
        """Return the days of a month that it has, bit 1 for the first."""
        if not self.months >> month & 1:
            return 0
        monday_first, length = monthrange(year, month)
        whole = ((1 << length) - 1) << 1
        by_weekday = self.weekdays * _WEEKS >> (monday_first + 1) % 7 << 1
        found = self.days | by_weekday if self.either else self.days & by_weekday
        return found & whole

    @property
    def has_days(self) -> bool:
        """Whether there is a year with a day of it: February has no 30th."""
        longest = max(length for month, length in enumerate(_LONGEST) if self.months >> month & 1)
        return self.either or bool(self.days & ((1 << longest + 1) - 1))


def parse_expressions(text: str) -> tuple[CronExpression, ...]:
    """Return the expressions of a schedule, one a line.

    Raises:
        ScheduleError: there is none, or one is not right.
    """
    lines = [line.strip(" \t\r") for line in text.split("\n")]
    given = [line for line in lines if line]
    if not given:
        raise ScheduleError("is empty; use five fields such as 0 6 * * *, or @daily")
    if len(given) > EXPRESSION_LIMIT:
        raise ScheduleError(f"has {len(given)} lines; use at most {EXPRESSION_LIMIT} expressions")
    if len(given) == 1:
        return (parse_expression(given[0]),)
    found = []
    for number, line in enumerate(lines, 1):
        if line:
            try:
                found.append(parse_expression(line))
            except ScheduleError as error:
                raise ScheduleError(f"line {number}: {error}") from None
    return tuple(found)


def parse_expression(text: str) -> CronExpression:
    """Return one expression.

    Raises:
        ScheduleError: it is not right; the message names the field, the value and the fix.

    >>> parse_expression("*/15 9-17 * * mon-fri").wildcard_hour, parse_expression("@hourly").wildcard_hour
    (False, True)
    """
    if len(text) > _LENGTH:
        raise ScheduleError(f"has {len(text)} characters; use at most {_LENGTH}")
    parts = re.split(r"[ \t]+", _in_fields(text.strip(" \t")))
    if len(parts) != len(FIELDS):
        raise ScheduleError(_count_problem(parts))
    minute, hour, day, month, weekday = (
        parse_field(kind, part) for kind, part in zip(FIELDS, parts, strict=True)
    )
    minutes = sum(minute.bits << 60 * number for number in range(24) if hour.bits >> number & 1)
    made = CronExpression(
        text=text,
        minutes=minutes,
        days=day.bits,
        months=month.bits,
        weekdays=weekday.bits,
        either=not (day.all or weekday.all),
        wildcard_hour=hour.wildcard,
    )
    if not made.has_days:
        raise ScheduleError(f"NeverFires: day {parts[2]} is in no month of {parts[3]}; use another day")
    return made


def _in_fields(text: str) -> str:
    if text.upper().startswith(("TZ=", "CRON_TZ=")):
        name = text.partition("=")[0]
        raise ScheduleError(f"{name}= is not supported in an expression; use timeZone")
    if not text.startswith("@"):
        return text
    word, _, _ = text.partition(" ")
    if word.lower() in _FOREIGN_WORDS:
        raise ScheduleError(f"{word.lower()}: {_FOREIGN_WORDS[word.lower()]}")
    if text.lower() not in _WORDS:
        raise ScheduleError(f"{text[:_SHOWN]!r} is not known; use one of {', '.join(_WORDS)}, or five fields")
    return _WORDS[text.lower()]


def _count_problem(parts: list[str]) -> str:
    fields = "minute, hour, day of the month, month, day of the week"
    if len(parts) in (6, 7):
        return f"has {len(parts)} fields; seconds and years are not supported, use five: {fields}"
    return f"has {len(parts)} field{'' if len(parts) == 1 else 's'}; use five: {fields}"
