"""How many attempts of one kind are handed over together: as many as are known to be quick. Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["LARGEST", "QUICK_SECONDS", "Pace"]

LARGEST: Final = 16
"""Attempts of a bundle at most."""
QUICK_SECONDS: Final = 0.02
"""How long a quick attempt takes at most."""


class Pace:
    """What was seen of one kind of attempts: it begins at one, and grows while they are quick.

    Example:
        >>> pace = Pace()
        >>> for _ in range(8):
        ...     pace.was_quick()
        >>> pace.together
        5
        >>> pace.was_slow()
        >>> pace.together
        3
        >>> pace.was_lost()
        >>> pace.together
        1
    """

    def __init__(self) -> None:
        self._quick = 0

    @property
    def together(self) -> int:
        """How many may be handed over as one."""
        return 1 + self._quick // 2

    def was_quick(self) -> None:
        """Take that an attempt was quick, and its value small and plain."""
        self._quick = min(self._quick + 1, 2 * (LARGEST - 1))

    def was_slow(self) -> None:
        """Take that one was not; now and then it may be the machine's own pause."""
        self._quick //= 2

    def was_lost(self) -> None:
        """Take that one was lost with its process, or that others waited behind it."""
        self._quick = 0
