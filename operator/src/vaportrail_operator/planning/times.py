"""Times, intervals and durations as the status has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "OPEN",
    "begin",
    "duration",
    "end",
    "interval",
    "is_open",
    "later",
    "parse",
    "second",
    "stamp",
    "within",
]

OPEN: Final = ".."
"""The end of an interval that has not ended."""


def stamp(time: datetime) -> str:
    """Return a time in RFC 3339, to the millisecond; whole seconds have no fraction.

    >>> stamp(datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)), stamp(datetime(2026, 1, 2, 3, 4, 5, 0, UTC))
    ('2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05Z')
    """
    moment = _in_utc(time)
    precision = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def second(time: datetime) -> str:
    """Return a time in RFC 3339, to the second, as Kubernetes' own conditions have it."""
    return _in_utc(time).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse(text: str) -> datetime | None:
    """Return the time that a text says, or None where it says none."""
    try:
        return _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def interval(start: datetime, stop: datetime | None = None) -> str:
    """Return an ISO 8601 interval; without an end it is open, and one never ends before it starts.

    >>> interval(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00Z/..'
    """
    return f"{stamp(start)}/{OPEN if stop is None else stamp(max(start, stop))}"


def begin(text: str) -> datetime | None:
    """Return when an interval starts, or None where the text is none."""
    return parse(text.partition("/")[0])


def end(text: str) -> datetime | None:
    """Return when an interval ends, or None where it has not ended, or the text is none."""
    return parse(text.partition("/")[2])


def is_open(text: str) -> bool:
    """Return whether an interval has not ended."""
    return text.endswith(f"/{OPEN}")


def duration(start: datetime, stop: datetime) -> str:
    """Return how long something took, in words of at most two units.

    >>> duration(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, 3, 4, tzinfo=UTC))
    '2h3m'
    """
    rest = max(0, round((stop - start).total_seconds()))
    parts: list[str] = []
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count}{letter}")
    return "".join(parts[:2]) or "0s"


def later(start: datetime, seconds: float) -> datetime | None:
    """Return the time so many seconds later, or None where no calendar has it."""
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _in_utc(time: datetime) -> datetime:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def within(time: datetime, earliest: datetime, latest: datetime) -> datetime:
    """Return a time that a node or a user's code said, by clocks of their own: no earlier and no later."""
    return min(max(time, earliest), latest)
