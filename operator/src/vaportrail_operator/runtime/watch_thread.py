"""The watches' own thread: begun, begun again when they fail or should watch other kinds, ended.

kopf takes an event loop for its own: it handles the process's signals and cancels every task that it
did not make. In a thread with a loop of its own it can do neither to the rest of the operator.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.workqueue import Backoff

__all__ = ["WatchHost"]

_log = logging.getLogger(__name__)

Watch = Callable[[frozenset[Kind], asyncio.Event, Callable[[], None]], Awaitable[None]]
"""Watches some kinds until the event is set; calls the function each time a list or watch begins."""


class WatchHost:
    """Keeps the watches going.

    Args:
        watch: runs in the thread.
        kinds: what to watch, asked at each beginning.
        connected: told, in the caller's loop, each time a list or watch begins, also when it begins again.
        clock: monotonic seconds.
        backoff: between a failure and the next beginning.
    """

    def __init__(
        self,
        watch: Watch,
        kinds: Callable[[], frozenset[Kind]],
        connected: Callable[[], None],
        clock: Callable[[], float],
        backoff: Backoff,
    ) -> None:
        self._watch, self._kinds, self._connected, self._clock = watch, kinds, connected, clock
        self._backoff = backoff
        self._down_since: float | None = clock()
        self._stopping = False
        self._stop_one: Callable[[], None] | None = None

    @property
    def down_seconds(self) -> float:
        """For how long nothing has been watched."""
        return 0.0 if self._down_since is None else self._clock() - self._down_since

    async def run(self) -> None:
        """Watch until `stop`."""
        failures = 0
        while not self._stopping:
            error = await self._run_once()
            self._down_since = self._clock()
            failures = failures + 1 if error is not None else 0
            if error is not None and not self._stops():
                delay = self._backoff.delay(failures)
                _log.warning("the watches ended; again in %.1f s: %s", delay, _as_message(error))
                await asyncio.sleep(delay)

    def restart(self) -> None:
        """Begin the watches again, of the kinds that there are now."""
        if self._stop_one:
            self._stop_one()

    def stop(self) -> None:
        """End the watches for good."""
        self._stopping = True
        self.restart()

    def _stops(self) -> bool:
        return self._stopping

    async def _run_once(self) -> BaseException | None:
        ours = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = ours.create_future()
        kinds = self._kinds()

        def call(what: Callable[[], None]) -> None:
            if not ours.is_closed():
                ours.call_soon_threadsafe(what)

        def finish(error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(error)

        def up() -> None:
            self._down_since = None
            self._connected()

        def know(stop: Callable[[], None]) -> None:
            self._stop_one = stop
            if self._stopping:
                stop()

        async def main() -> None:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            call(lambda: know(lambda: _set(loop, stop)))
            await self._watch(kinds, stop, lambda: call(up))

        def body() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(main())
            except BaseException as caught:
                error = caught
            call(lambda: finish(error))

        threading.Thread(target=body, name="watches", daemon=True).start()
        try:
            return await ended
        finally:
            self._stop_one = None


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


def _as_message(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
