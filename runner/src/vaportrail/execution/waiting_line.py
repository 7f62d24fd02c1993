"""Attempts whose turn has come, before they are with Ray: the quick ones wait there for others. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, Protocol, TypeVar

__all__ = ["BUNDLES_PER_CPU", "WaitingLine"]

BUNDLES_PER_CPU: Final = 2
"""So many are with Ray for each CPU at least while others wait: one that runs, and the next."""


class _Attempt(Protocol):
    @property
    def together(self) -> int:
        """How many may be handed over as one with this among them."""
        ...


A = TypeVar("A", bound=_Attempt)


class WaitingLine(Generic[A]):
    """Lets attempts go in their order, quick ones several as one.

    Those that are not known to be quick wait for nothing, and nothing waits before them.

    Args:
        slots: how many attempts run at once.

    Example:
        >>> class Quick:
        ...     together = 16
        >>> line = WaitingLine(slots=2)
        >>> for _ in range(64):
        ...     line.put(Quick())
        >>> [len(each) for each in line.take(with_ray=0)], len(line)
        ([16, 12, 9, 6], 21)
    """

    def __init__(self, slots: int) -> None:
        self._enough = BUNDLES_PER_CPU * max(1, slots)
        self._line: deque[A] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def put(self, attempt: A) -> None:
        """Take an attempt whose turn has come."""
        self._line.append(attempt)

    def put_back(self, attempts: Iterable[A]) -> None:
        """Take those that were handed over and have not begun: they are the next."""
        self._line.extendleft(reversed(list(attempts)))

    def remove(self, attempt: A) -> bool:
        """Take one out; return whether it was there."""
        try:
            self._line.remove(attempt)
        except ValueError:
            return False
        return True

    def take(self, *, with_ray: int, everything: bool = False) -> list[list[A]]:
        """Return those that go now, each list as one.

        Args:
            with_ray: how many such lists of quick ones are with Ray.
            everything: whether none may wait any longer.
        """
        if not self._line:
            return []
        at_once = len(self._line) if everything else self._pressing()
        taken: list[list[A]] = []
        while self._line and (at_once > 0 or with_ray < self._enough):
            group = self._group()
            with_ray += 1
            at_once -= len(group)
            taken.append(group)
        return taken

    def _pressing(self) -> int:
        """Return up to where attempts stand that wait for nothing."""
        for place, attempt in enumerate(reversed(self._line)):
            if attempt.together == 1:
                return len(self._line) - place
        return 0

    def _group(self) -> list[A]:
        most = max(1, len(self._line) // self._enough)
        group = [self._line.popleft()]
        most = min(most, group[0].together)
        while self._line and len(group) < most and self._line[0].together > len(group):
            most = min(most, self._line[0].together)
            group.append(self._line.popleft())
        return group
