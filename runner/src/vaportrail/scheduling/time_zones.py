"""Time zones from the pinned time-zone data, never the machine's own: when their clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import tzdata

from vaportrail.errors import ScheduleError

__all__ = [
    "ZONE_DATA",
    "Change",
    "changes_between",
    "minute_of",
    "offset_at",
    "require_zone",
    "time_of",
    "zone_info",
    "zone_names",
]

ZONE_DATA: Final[str] = tzdata.IANA_VERSION
"""The version of the time-zone data, such as `2026f`."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1970, 9990
_SHOWN: Final = 64
_STEP: Final = 720
"""Minutes. No clock was changed twice within that since 1970."""


class Change(NamedTuple):
    """A moment at which the clocks of a zone are changed.

    Attributes:
        at: minutes since 1970, of UTC.
        before: minutes that the clocks are ahead of UTC until then.
        after: and from then on.
    """

    at: int
    before: int
    after: int


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    names = (files("tzdata") / "zones").read_text(encoding="utf-8").split()
    return frozenset(names)


@cache
def _names_by_what_people_write() -> dict[str, str]:
    made = {name.rpartition("/")[2].lower(): name for name in sorted(zone_names(), reverse=True)}
    return made | {name.lower(): name for name in zone_names()}


def require_zone(name: str) -> None:
    """Look that there is such a zone.

    Raises:
        ScheduleError: there is none; the message names one of that city, if there is one. It costs two
            look-ups, whatever the name.

    >>> require_zone("europe/berlin")
    Traceback (most recent call last):
    vaportrail.errors.ScheduleError: 'europe/berlin' is no time zone; did you mean 'Europe/Berlin'?
    """
    if name in zone_names():
        return
    shown = repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
    written = name[:_SHOWN].strip().replace(" ", "_").lower()
    known = _names_by_what_people_write()
    close = known.get(written) or known.get(written.rpartition("/")[2])
    if close:
        raise ScheduleError(f"{shown} is no time zone; did you mean {close!r}?")
    raise ScheduleError(f"{shown} is no time zone of {ZONE_DATA}; use a name such as Europe/Berlin or UTC")


def minute_of(time: datetime) -> int:
    """Return in which minute since 1970 a time is."""
    return (time - _EPOCH) // timedelta(minutes=1)


def time_of(minute: int) -> datetime:
    """Return when a minute since 1970 begins."""
    return _EPOCH + timedelta(minutes=minute)


def zone_info(name: str) -> ZoneInfo:
    """Return a zone of the pinned data, for times in it.

    Raises:
        ScheduleError: there is none of that name.
    """
    return _zone(name)


def offset_at(name: str, minute: int) -> int:
    """Return how many minutes the clocks of a zone are ahead of UTC."""
    return _in_minutes(_ahead(_zone(name), minute))


def changes_between(name: str, low: int, high: int) -> list[Change]:
    """Return the changes of a zone's clocks from one minute to another, both included."""
    years = range(max(_FIRST_YEAR, time_of(low).year), min(_LAST_YEAR, time_of(high).year) + 1)
    return [change for year in years for change in _changes(name, year) if low <= change.at <= high]


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    require_zone(name)
    with (files("tzdata") / "zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def _ahead(zone: ZoneInfo, minute: int) -> timedelta:
    return datetime.fromtimestamp(minute * 60, zone).utcoffset() or timedelta()


def _in_minutes(ahead: timedelta) -> int:
    # Liberia's clocks were 44 minutes and a half behind, until 1972.
    return ahead // timedelta(minutes=1)


# The zones and years in use, of all schedules together; a year has two entries or so.
@lru_cache(maxsize=1024)
def _changes(name: str, year: int) -> tuple[Change, ...]:
    zone = _zone(name)
    # A change at the very first minute belongs to the year.
    minute = minute_of(datetime(year, 1, 1, tzinfo=UTC)) - 1
    last = minute_of(datetime(year + 1, 1, 1, tzinfo=UTC)) - 1
    before = _ahead(zone, minute)
    found = []
    while minute < last:
        later = min(minute + _STEP, last)
        after = _ahead(zone, later)
        if after != before:
            at = _first_with(zone, after, minute, later)
            found.append(Change(at, _in_minutes(before), _in_minutes(after)))
        minute, before = later, after
    return tuple(found)


def _first_with(zone: ZoneInfo, ahead: timedelta, low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _ahead(zone, middle) == ahead else (middle, high)
    return high
