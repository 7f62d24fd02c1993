"""Nanoseconds since the epoch as RFC 3339 text, and back, without losing a digit."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["from_rfc3339", "rfc3339"]


def rfc3339(unix_nano: int) -> str:
    """Return a time with all nine digits.

    >>> rfc3339(1_700_000_000_000_000_001)
    '2023-11-14T22:13:20.000000001Z'
    """
    seconds, nanos = divmod(unix_nano, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def from_rfc3339(text: str) -> int:
    """Return nanoseconds since the epoch; the inverse of `rfc3339`."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)
