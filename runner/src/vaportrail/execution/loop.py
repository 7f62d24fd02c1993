"""A thread that takes messages, and another in its place where one of them never comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vaportrail.execution.inbox import Inbox, Message

__all__ = ["Loop"]


class Loop:
    """Hands the messages of an inbox to `handle`, in one thread at a time.

    Args:
        inbox: where messages come from.
        handle: takes those that waited together; it raises nothing.
    """

    def __init__(self, inbox: Inbox, handle: Callable[[list[Message]], None]) -> None:
        self._inbox = inbox
        self._handle = handle
        self._busy_since: float | None = None
        self._passing, self._passed_by = threading.Lock(), False
        self._begin()

    @property
    def runs(self) -> bool:
        """Whether there is a thread that takes messages."""
        return self._thread.ident is None or self._thread.is_alive()

    @property
    def is_left(self) -> bool:
        """Whether another thread goes on in the place of the one that asks, which is to do nothing more."""
        return threading.current_thread() is not self._thread

    def held_up(self, seconds: float) -> bool:
        """Return whether the thread has been at one thing for longer than this."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > seconds

    def moves(self) -> None:
        """Say, in the thread, that the next thing begins."""
        self._busy_since = time.monotonic()

    def pass_by(self, seconds: float) -> None:
        """Go on in a new thread, once, where this one is held up for longer than this: it is left there."""
        with self._passing:
            if not self._passed_by and self.held_up(seconds):
                self._passed_by = True
                self._begin()

    def stays(self) -> bool:
        """Let nothing pass by any more; return whether that has come in time, in the thread that asks."""
        with self._passing:
            self._passed_by = True
            return not self.is_left

    def end(self, seconds: float) -> None:
        """End the thread after what was put before this, and wait for it, but no longer than that."""
        self._inbox.put(None)
        self._thread.join(seconds)

    def _begin(self) -> None:
        self._busy_since = None
        self._thread = threading.Thread(target=self._run, name="vaportrail-executor", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.is_left:
            self._busy_since = None
            messages = self._inbox.take()
            if not messages:
                return
            self.moves()
            self._handle(messages)
