"""The API server's time, carried on by this process's own monotonic clock.

What is compared with the operator's time was stamped by the API server: when a pod must have ended, when a
run ended. So the operator counts by the same clock, and no step of its own machine's clock, nor its being
wrong by hours, makes anything due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["ServerClock"]

_log = logging.getLogger(__name__)
_TOLERANCE = timedelta(seconds=3)
"""A reply says whole seconds, and may have been on its way for a while."""
_HALF_SECOND = timedelta(seconds=0.5)
_FOLLOWED_AFTER = 300.0
"""Seconds for which all replies must say another time before it is believed."""


class ServerClock:
    """The time by the `Date` of the API server's replies.

    Args:
        monotonic: seconds that pass also while the machine sleeps, such as Linux's `CLOCK_BOOTTIME`.
        local: this machine's time: until there is a reply, and more exactly where it agrees with the first.
    """

    def __init__(self, monotonic: Callable[[], float], local: Callable[[], datetime]) -> None:
        self._monotonic, self._local = monotonic, local
        self._base: tuple[float, datetime] | None = None
        self._differs: tuple[float, timedelta] | None = None

    def now(self) -> datetime:
        """Return the time."""
        if self._base is None:
            return self._local()
        then, time = self._base
        return time + timedelta(seconds=self._monotonic() - then)

    def observe(self, date: str) -> None:
        """Take in the `Date` of a reply.

        A jump is followed only when every reply has said so for minutes: of several API servers one may be
        wrong, and what is due by a wrong clock cannot be taken back.
        """
        try:
            said = parsedate_to_datetime(date).astimezone(UTC) + _HALF_SECOND
        except (ValueError, OverflowError):
            return
        if self._base is None:
            local = self._local()
            agrees = abs(said - local) <= _TOLERANCE
            if not agrees:
                _log.warning(
                    "this machine's clock is %+.0f s off the API server's, which is what counts",
                    (local - said).total_seconds(),
                )
            self._base = (self._monotonic(), local if agrees else said)
            return
        offset = said - self.now()
        if abs(offset) <= _TOLERANCE:
            self._differs = None
        elif self._differs is None or abs(offset - self._differs[1]) > _TOLERANCE:
            self._differs = (self._monotonic(), offset)
        elif self._monotonic() - self._differs[0] >= _FOLLOWED_AFTER:
            _log.warning("the API server's clock moved by %+.0f s", offset.total_seconds())
            self._base, self._differs = (self._monotonic(), said), None
