"""How durations, times, sizes and long messages are said to people."""

from __future__ import annotations

__all__ = ["brief", "duration", "short_time", "size"]


def duration(seconds: float) -> str:
    """Return a duration with at most two units.

    >>> duration(3725.4)
    '1h 02m'
    """
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s"


def short_time(text: str) -> str:
    """Return the time of day of an RFC 3339 time, with milliseconds."""
    return text[11:23]


def size(count: int) -> str:
    """Return a number of bytes in binary units.

    >>> size(1536)
    '1.5 KiB'
    """
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def brief(text: str, limit: int = 300) -> str:
    """Return a message on one line, cut where it is long.

    >>> brief("one\\ntwo", 20)
    'one …'
    """
    first, _, rest = text.strip().partition("\n")
    return first if len(first) <= limit and not rest else f"{first[:limit]} …"
