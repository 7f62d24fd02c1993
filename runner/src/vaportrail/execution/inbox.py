"""What the executor's thread is to do next: messages from any thread, and its own for later."""

from __future__ import annotations

import heapq
import itertools
import queue
import time
from collections.abc import Callable

from vaportrail.execution.graph import Step

__all__ = ["Inbox", "Message"]

Message = Callable[[], list[Step]]


class Inbox:
    """A queue of messages with timers; any thread puts, one thread takes."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Message]] = []
        self._order = itertools.count()

    def put(self, message: Message | None) -> None:
        """Add a message, also from a signal's handler; None is the last one."""
        self._messages.put(message)

    def later(self, seconds: float, message: Message) -> None:
        """Add a message that is due in so many seconds; only the thread that takes may do so."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), message))

    def take(self) -> Message | None:
        """Wait for the next message."""
        while True:
            wait = None if not self._timers else max(0.0, self._timers[0][0] - time.monotonic())
            try:
                return self._messages.get(timeout=wait)
            except queue.Empty:
                return heapq.heappop(self._timers)[2]
