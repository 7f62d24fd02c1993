"""The work queue: each key at most once, never twice at a time, again after failures ever more slowly.

As client-go's: a key that is added while it is worked on is worked on again afterwards. But if it fails,
only after the delay.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Backoff", "WorkQueue"]

K = TypeVar("K", bound=Hashable)


class Backoff:
    """How long to wait before the next attempt: doubled each time, bounded, spread.

    Args:
        first: seconds after the first failure.
        longest: seconds, whatever the number of failures.
        random: gives a number from 0 to 1; up to half of a delay is left to chance, so that what failed
            together is not tried again together.
    """

    def __init__(self, first: float, longest: float, random: Callable[[], float]) -> None:
        self._first, self._longest, self._random = first, longest, random

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after this many failures in a row, from 1."""
        full = min(self._longest, self._first * 2.0 ** min(failures - 1, 30))
        return full * (0.5 + 0.5 * self._random())


class WorkQueue(Generic[K]):
    """Keys to work on.

    Each key that `get` gives must be given back by `done`.

    Args:
        clock: monotonic seconds, such as the event loop's own.
        backoff: for keys that fail.
    """

    def __init__(self, clock: Callable[[], float], backoff: Backoff) -> None:
        self._clock = clock
        self._backoff = backoff
        self._ready: OrderedDict[K, float] = OrderedDict()
        self._dirty: set[K] = set()
        self._processing: dict[K, float] = {}
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._failures: dict[K, int] = {}
        self._closed = False
        self._changed = asyncio.Event()
        self.retries = 0
        """How often a key was put back after a failure."""

    def add(self, key: K) -> None:
        """Have a key worked on, as soon as somebody is free."""
        self._due.pop(key, None)
        if key in self._processing:
            self._dirty.add(key)
        elif key not in self._ready:
            self._ready[key] = self._clock()
        self._changed.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on after a while, or earlier if something else asks for it."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock() + seconds
        if key in self._ready or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        if len(self._timers) > 2 * len(self._due) + 64:
            self._timers = [each for each in self._timers if self._due.get(each[2]) == each[0]]
            heapq.heapify(self._timers)
        heapq.heappush(self._timers, (due, next(self._order), key))
        self._changed.set()

    def retry(self, key: K, at_least: float = 0.0) -> float:
        """Have a key that failed worked on again; returns after how many seconds.

        That it was added while it was worked on does not shorten the delay: what changed may be just what
        the failed step wrote.

        Args:
            key: the key.
            at_least: seconds that the API server asked for.
        """
        self._failures[key] = self._failures.get(key, 0) + 1
        self.retries += 1
        self._dirty.discard(key)
        delay = max(at_least, self._backoff.delay(self._failures[key]))
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: K) -> None:
        """Forget a key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K | None:
        """Return the key that has waited longest, as soon as there is one; None once closed."""
        while not self._closed:
            now = self._clock()
            self._wake(now)
            if self._ready:
                key, _ = self._ready.popitem(last=False)
                self._processing[key] = now
                return key
            self._changed.clear()
            pause = self._timers[0][0] - now if self._timers else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return None

    def done(self, key: K) -> None:
        """Give a key back that was worked on."""
        del self._processing[key]
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)

    def close(self) -> None:
        """Give out no more keys."""
        self._closed = True
        self._changed.set()

    @property
    def depth(self) -> int:
        """How many keys wait for somebody to be free."""
        self._wake(self._clock())
        return len(self._ready)

    @property
    def oldest_seconds(self) -> float:
        """For how long the first of them has waited."""
        return self._clock() - next(iter(self._ready.values())) if self._ready else 0.0

    @property
    def longest_seconds(self) -> float:
        """For how long the oldest step has been going on."""
        return self._clock() - min(self._processing.values()) if self._processing else 0.0

    def _wake(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                self.add(key)
