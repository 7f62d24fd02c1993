"""Sends Kubernetes Events beside the steps: no step waits for one, and none is worth a failure."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from vaportrail_operator.acting.client import AlreadyExists, ApiError, Client, NamespaceTerminating
from vaportrail_operator.acting.endpoints import EVENTS
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

__all__ = ["EventSender"]

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_WAITING = 1000
_WAITING_OF_NAMESPACE = 100
_REMEMBERED = 5000

_Key = tuple[str, str]
"""An Event's namespace and name: the same is said under the same name."""


class EventSender:
    """A bounded queue of Events, one at a time of each namespace.

    What finds no room in it is dropped and counted, and so is what the API server does not take.

    Args:
        client: of the API server.
        clock: monotonic seconds.
        dropped: told of each Event that nobody will see.
    """

    def __init__(self, client: Client, clock: Callable[[], float], dropped: Callable[[], None]) -> None:
        self._client, self._dropped = client, dropped
        self._queue: WorkQueue[_Key] = WorkQueue(
            clock,
            Backoff(1.0, 1.0, lambda: 1.0),
            group_of=lambda key: key[0],
            at_once=_AT_ONCE,
            at_once_of_group=1,
        )
        self._bodies: dict[_Key, Mapping[str, Any]] = {}
        self._waiting: Counter[str] = Counter()
        self._sent: OrderedDict[_Key, None] = OrderedDict()
        self._sent_one = asyncio.Event()
        self._full = False

    def send(self, body: Mapping[str, Any]) -> None:
        """Have an Event sent when its turn comes, unless it was sent before."""
        namespace = body["metadata"]["namespace"]
        key = (namespace, body["metadata"]["name"])
        if key in self._sent or key in self._bodies:
            return
        if len(self._bodies) >= _WAITING or self._waiting[namespace] >= _WAITING_OF_NAMESPACE:
            if not self._full:
                _log.warning("Events are dropped: those of before wait for the API server")
            self._full = True
            self._dropped()
            return
        self._full = False
        self._bodies[key] = body
        self._waiting[namespace] += 1
        self._queue.add(key)

    async def run(self) -> None:
        """Send for ever."""
        async with asyncio.TaskGroup() as calls:
            while (key := await self._queue.get()) is not None:
                calls.create_task(self._post(key))

    async def flush(self, seconds: float) -> None:
        """Wait until all is sent, but no longer than this."""
        try:
            async with asyncio.timeout(seconds):
                while self._bodies:
                    self._sent_one.clear()
                    await self._sent_one.wait()
        except TimeoutError:
            _log.warning("%d Events were not sent", len(self._bodies))

    async def _post(self, key: _Key) -> None:
        try:
            await self._client.create(EVENTS, key[0], self._bodies[key])
        except (AlreadyExists, NamespaceTerminating):
            pass
        except ApiError as error:
            self._dropped()
            _log.warning("an Event could not be sent: %s", error)
        finally:
            del self._bodies[key]
            self._waiting[key[0]] -= 1
            if not self._waiting[key[0]]:
                del self._waiting[key[0]]
            self._queue.done(key)
            self._sent_one.set()
        self._sent[key] = None
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
