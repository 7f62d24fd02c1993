"""What the executor's thread is to do next: messages from any thread, and its own for later."""

from __future__ import annotations

import heapq
import itertools
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from vaportrail.execution.graph import Step

__all__ = ["Inbox", "Message"]

Message = Callable[[], list[Step]]


_TOGETHER: Final = 64
"""How many messages are taken at once."""


class Inbox:
    """A queue of messages with timers; any thread puts, one thread takes."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Message]] = []
        self._order = itertools.count()
        self._over = False

    def put(self, message: Message | None) -> None:
        """Add a message, also from a signal's handler; None is the last one."""
        self._messages.put(message)

    def later(self, seconds: float, message: Message) -> None:
        """Add a message that is due in so many seconds; only the thread that takes may do so."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), message))

    def take(self) -> list[Message]:
        """Wait for the next messages, and return those that wait together; none after the last one."""
        taken: list[Message] = []
        while not taken and not self._over:
            wait = None if not self._timers else max(0.0, self._timers[0][0] - time.monotonic())
            with suppress(queue.Empty):
                while len(taken) < _TOGETHER:
                    message = self._messages.get(timeout=0.0 if taken else wait)
                    if message is None:
                        self._over = True
                        break
                    taken.append(message)
            while self._timers and self._timers[0][0] <= time.monotonic():
                taken.append(heapq.heappop(self._timers)[2])
        return taken
