"""What is known of a run while a plan is carried out: that it is as it was planned for, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Seen"]

_KNOWN_FOR: Final = timedelta(seconds=5)
"""What is made one after the other follows on one look, unless the making of one takes its time."""


@dataclass(slots=True)
class Seen:
    """The version of a run that a plan is for, and when it was last known to have it.

    Attributes:
        version: its resourceVersion.
        at: when a look, or the writing of its status, showed that; None: not since it was planned for.
    """

    version: str
    at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is known well enough to make something."""
        return self.at is not None and timedelta() <= now - self.at < _KNOWN_FOR
