"""An independent timetable: it walks the minutes of UTC and asks `zoneinfo` what clocks show.

It shares no parser: expressions are drawn together with the numbers that they mean. Used by a short test
with a fresh seed, and by `make check-ticks` with ten million ticks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from vaportrail.scheduling.cron_expression import parse_expressions
from vaportrail.scheduling.timetable import Doubled, Skipped, Timetable

__all__ = ["Drawn", "Rules", "differences", "drawn_rules", "moments_of_change", "zone", "zones_that_are_odd"]

MINUTE = timedelta(minutes=1)
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}


@dataclass(frozen=True)
class Drawn:
    """An expression and what it means."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    interval: bool

    def fits(self, local: datetime) -> bool:
        if local.minute not in self.minutes or local.hour not in self.hours:
            return False
        if local.month not in self.months:
            return False
        by_day = local.day in self.days
        by_weekday = local.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


@dataclass(frozen=True)
class Rules:
    """A schedule as it is drawn."""

    expressions: tuple[Drawn, ...]
    skipped: Skipped
    doubled: Doubled

    @property
    def text(self) -> str:
        return "\n".join(each.text for each in self.expressions)

    def timetable(self, name: str) -> Timetable:
        return Timetable(parse_expressions(self.text), name, self.skipped, self.doubled)

    def walk(self, begin: datetime, minutes: int, place: ZoneInfo) -> Iterator[int]:
        """Yield the minutes, from a moment on, at which something is due; counted from that moment."""
        before = (begin - MINUTE).astimezone(place).replace(tzinfo=None, fold=0)
        moment = begin
        for step in range(minutes):
            local = moment.astimezone(place)
            shown = local.replace(tzinfo=None, fold=0)
            if any(
                each.fits(shown) and (each.interval or self._counts(local)) for each in self.expressions
            ) or (shown - before > MINUTE and self._was_skipped(before, shown)):
                yield step
            moment, before = moment + MINUTE, shown

    def _was_skipped(self, before: datetime, shown: datetime) -> bool:
        if self.skipped is not Skipped.SHIFT:
            return False
        before += MINUTE
        while before < shown:
            if any(each.fits(before) for each in self.expressions if not each.interval):
                return True
            before += MINUTE
        return False

    def _counts(self, local: datetime) -> bool:
        if self.doubled is Doubled.BOTH:
            return True
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if not twice:
            return True
        if self.doubled is Doubled.NONE:
            return False
        return local.fold == (0 if self.doubled is Doubled.FIRST else 1)


def differences(
    rules: Rules, name: str, begin: datetime, minutes: int, *, searched: int = 1
) -> tuple[int, list[str]]:
    """Return how many ticks there are from a moment on, and where the timetable says something else.

    Args:
        rules: the schedule.
        name: of the zone.
        begin: the moment.
        minutes: how far it is walked.
        searched: of how many ticks one is searched for from its neighbours.
    """
    timetable = rules.timetable(name)
    first = int(begin.timestamp()) // 60
    walked = [first + step for step in rules.walk(begin, minutes, zone(name))]
    found = [*timetable.between(first - 1, first + minutes - 1)]
    wrong = []
    if walked != found:
        odd = sorted(set(found) ^ set(walked))[:3]
        wrong.append(f"{[str(datetime.fromtimestamp(each * 60, UTC)) for each in odd]}")
    if timetable.count(first - 1, first + minutes - 1) != len(walked):
        wrong.append("count")
    for before, tick in [*zip([first - 1, *walked], walked, strict=False)][::searched]:
        if timetable.next(before) != tick or timetable.previous(tick + 1) != tick:
            wrong.append(f"next or previous around {datetime.fromtimestamp(tick * 60, UTC)}")
            break
    return len(walked), [f"{rules} in {name} from {begin}: {each}" for each in wrong]


@cache
def zone(name: str) -> ZoneInfo:
    """Return a zone of the pinned data."""
    with (files("tzdata") / "zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def moments_of_change(name: str, first: int, last: int) -> list[tuple[datetime, timedelta, timedelta]]:
    """Return when, from one year up to another, clocks are changed, and by what; to the hour before it."""
    place, found = zone(name), []
    end = datetime(last, 1, 1, tzinfo=UTC)

    def ahead_at(moment: datetime) -> timedelta:
        return moment.astimezone(place).utcoffset() or timedelta()

    day = datetime(first, 1, 1, tzinfo=UTC)
    while day < end:
        # A day that begins and ends alike has had no change: none was taken back within a day.
        if ahead_at(day) != ahead_at(day + timedelta(days=1)):
            for hour in range(24):
                moment = day + timedelta(hours=hour)
                before, after = ahead_at(moment), ahead_at(moment + timedelta(hours=1))
                if before != after:
                    found.append((moment, before, after))
        day += timedelta(days=1)
    return found


def zones_that_are_odd(names: list[str], first: int, last: int) -> Iterator[str]:
    """Yield zones of odd offsets, changes at midnight, or leaps of another length than an hour."""
    for name in names:
        place = zone(name)
        changes = moments_of_change(name, first, last)
        ahead = datetime(first, 1, 1, tzinfo=UTC).astimezone(place).utcoffset() or timedelta()
        odd_offset = ahead % timedelta(hours=1) != timedelta()
        odd = any(
            abs(after - before) != timedelta(hours=1)
            or (at + timedelta(hours=1)).astimezone(place).hour in (0, 1, 23)
            for at, before, after in changes
        )
        if odd_offset or odd:
            yield name


def drawn_rules(chance: random.Random, *, often: bool = False) -> Rules:
    """Draw a schedule.

    Args:
        chance: what is drawn by.
        often: whether it has many ticks a day.
    """
    expressions = tuple(_drawn(chance, often) for _ in range(chance.choice((1, 1, 2, 3))))
    return Rules(expressions, chance.choice([*Skipped]), chance.choice([*Doubled]))


def _drawn(chance: random.Random, often: bool) -> Drawn:
    minute = _field(chance, 0, 59, star=0.7 if often else 0.1)
    hour = _field(chance, 0, 23, star=0.6 if often else 0.4)
    day = _field(chance, 1, 31, star=0.9 if often else 0.6)
    month = _field(chance, 1, 12, star=0.9, names=_NAMES["month"])
    weekday = _field(chance, 0, 7, star=0.8 if often else 0.5, names=_NAMES["weekday"])
    parts = (minute, hour, day, month, weekday)
    text = " ".join(part[0] for part in parts)
    if not month[1] - {2, 4, 6, 9, 11}:
        day = ("*", frozenset(range(1, 32)), True, True)
        text = " ".join(part[0] for part in (minute, hour, day, month, weekday))
    return Drawn(
        text,
        minutes=minute[1],
        hours=hour[1],
        days=day[1],
        months=month[1],
        weekdays=frozenset(number % 7 for number in weekday[1]),
        any_day=day[2],
        any_weekday=weekday[2],
        interval=hour[3],
    )


def _field(
    chance: random.Random, low: int, high: int, *, star: float, names: list[str] | None = None
) -> tuple[str, frozenset[int], bool, bool]:
    """Draw a field: its text, its numbers, whether all are allowed by a star, whether there is a star."""
    if chance.random() < star:
        step = chance.choice((1, 1, 1, 2, 3, 7, 15))
        most = 6 if names and high == 7 else high
        numbers = frozenset(range(low, most + 1, step))
        return ("*" if step == 1 else f"*/{step}"), numbers, step == 1, True

    def said(number: int) -> str:
        if names and chance.random() < 0.5 and number < len(names) + low:
            word = names[number - low]
            return word if number != 7 else "7"
        return f"{number:02d}" if chance.random() < 0.1 else str(number)

    texts, found = [], set[int]()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        first = chance.randint(low, high)
        kind = chance.choice(("one", "one", "range", "step", "from"))
        if kind == "one":
            texts.append(said(first))
            found.add(first)
        elif kind == "from":
            step = chance.randint(1, 9)
            most = 6 if names and high == 7 else high
            texts.append(f"{first}/{step}")
            found |= {first, *range(first, most + 1, step)}
        else:
            last = chance.randint(first, high)
            step = 1 if kind == "range" else chance.randint(1, 9)
            texts.append(f"{said(first)}-{said(last)}" + (f"/{step}" if kind == "step" else ""))
            found |= {*range(first, last + 1, step)}
    return ",".join(texts), frozenset(found), False, False
