"""The work queue: each key at most once, never twice at a time, again after failures ever more slowly.

As client-go's: a key that is added while it is worked on is worked on again afterwards. But if it fails,
only after the delay. And it is shared: groups of keys take turns, and none has more than its share of what
is worked on at a time, however many keys it has and however long each takes; nor does a group of which
nothing is worked on wait for the others.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Backoff", "WorkQueue"]

K = TypeVar("K", bound=Hashable)
_CROWDED = 4


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
        refusals: for keys that are refused: what stands against them seldom goes within seconds.
        group_of: a key's group, such as its namespace.
        at_once: how many keys are worked on at a time; the first of each group
            is beside them, up to four times as many: however many groups are held up, another is not.
        at_once_of_group: how many of one group.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        backoff: Backoff,
        *,
        refusals: Backoff | None = None,
        group_of: Callable[[K], Hashable] = lambda key: None,
        at_once: float = math.inf,
        at_once_of_group: float = math.inf,
    ) -> None:
        self._clock = clock
        self._backoff, self._refusals = backoff, refusals or backoff
        self._group_of, self._at_once, self._at_once_of_group = group_of, at_once, at_once_of_group
        self._ready: OrderedDict[Hashable, OrderedDict[K, float]] = OrderedDict()
        self._dirty: set[K] = set()
        self._urgent: set[K] = set()
        self._processing: dict[K, float] = {}
        self._busy: Counter[Hashable] = Counter()
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._failures: dict[K, int] = {}
        self._refused: OrderedDict[K, None] = OrderedDict()
        self._closed = False
        self._changed = asyncio.Event()
        self.retries = 0
        """How often a key was put back after a failure."""

    def add(self, key: K, *, urgent: bool = False) -> None:
        """Have a key worked on, as soon as its turn comes: something of it changed.

        Args:
            key: the key.
            urgent: whether it counts also while the key is worked on, if that is refused: it is not what
                that work changed itself.
        """
        if key not in self._processing:
            self._forget_failures(key)
        elif urgent:
            self._urgent.add(key)
        self._put(key)

    def remind(self, key: K) -> None:
        """Have a key worked on, though nothing of it changed, unless it waits after a failure."""
        if key not in self._failures and key not in self._processing:
            self._put(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key worked on after a while, or earlier if something else asks for it."""
        if seconds <= 0:
            self._put(key)
            return
        due = self._clock() + seconds
        if self._is_ready(key) or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        if len(self._timers) > 2 * len(self._due) + 64:
            self._timers = [each for each in self._timers if self._due.get(each[2]) == each[0]]
            heapq.heapify(self._timers)
        heapq.heappush(self._timers, (due, next(self._order), key))
        self._changed.set()

    def retry(
        self, key: K, at_least: float = 0.0, *, refused: bool = False, at_most: float = math.inf
    ) -> float:
        """Have a key that failed worked on again; returns after how many seconds.

        That it was added while it was worked on does not shorten the delay: what changed may be just what
        the failed step wrote.

        Args:
            key: the key.
            at_least: seconds that the API server asked for.
            refused: whether it was refused, and so is likely to be again: then it waits for minutes in the
                end, unless something urgent came meanwhile.
            at_most: seconds that a refused key may wait, but for the usual delay after a failure.
        """
        self._failures[key] = self._failures.get(key, 0) + 1
        self.retries += 1
        self._dirty.discard(key)
        delay = self._backoff.delay(self._failures[key])
        if refused:
            self._refused[key] = None
            self._refused.move_to_end(key)
            if key not in self._urgent:
                delay = max(delay, min(self._refusals.delay(self._failures[key]), at_most))
        delay = max(at_least, delay)
        self.add_after(key, delay)
        return delay

    def retry_one_refused(self, group: Hashable) -> None:
        """Have that refused key of a group worked on which has waited longest: there may be room now."""
        for key in self._refused:
            if self._group_of(key) == group and key in self._due:
                self._put(key)
                return

    def succeeded(self, key: K) -> None:
        """Forget a key's failures."""
        self._forget_failures(key)

    async def get(self) -> K | None:
        """Return the next key, as soon as there is one and its group has not its share; None once closed."""
        while not self._closed:
            now = self._clock()
            self._wake(now)
            key = self._take(now)
            if key is not None:
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
        group = self._group_of(key)
        self._busy[group] -= 1
        if not self._busy[group]:
            del self._busy[group]
        self._urgent.discard(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self._put(key)
        self._changed.set()

    def close(self) -> None:
        """Give out no more keys."""
        self._closed = True
        self._changed.set()

    @property
    def depth(self) -> int:
        """How many keys wait for their turn."""
        self._wake(self._clock())
        return sum(map(len, self._ready.values()))

    @property
    def at_work(self) -> int:
        """How many keys are worked on."""
        return len(self._processing)

    @property
    def oldest_seconds(self) -> float:
        """For how long the key that has waited longest has waited for its turn."""
        firsts = (next(iter(keys.values())) for keys in self._ready.values())
        return self._clock() - min(firsts, default=self._clock())

    @property
    def longest_seconds(self) -> float:
        """For how long the oldest step has been going on."""
        return self._clock() - min(self._processing.values()) if self._processing else 0.0

    def _take(self, now: float) -> K | None:
        at_work = len(self._processing)
        if at_work >= _CROWDED * self._at_once:
            return None
        for group, keys in self._ready.items():
            busy = self._busy.get(group, 0)
            if not busy or (at_work < self._at_once and busy < self._at_once_of_group):
                key, _ = keys.popitem(last=False)
                if keys:
                    self._ready.move_to_end(group)
                else:
                    del self._ready[group]
                self._busy[group] += 1
                self._processing[key] = now
                return key
        return None

    def _put(self, key: K) -> None:
        self._due.pop(key, None)
        if key in self._processing:
            self._dirty.add(key)
        else:
            self._ready.setdefault(self._group_of(key), OrderedDict()).setdefault(key, self._clock())
        self._changed.set()

    def _is_ready(self, key: K) -> bool:
        return key in self._ready.get(self._group_of(key), ())

    def _forget_failures(self, key: K) -> None:
        self._failures.pop(key, None)
        self._refused.pop(key, None)

    def _wake(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                self._put(key)
