"""A client that changes something only while this operator holds its Lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from vaportrail_operator.acting.client import Client, Listing, Object
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.lease import LeaseLost

__all__ = ["FencedClient"]


class FencedClient:
    """A `Client` whose changes raise `LeaseLost` while the Lease is not held; it reads at any time.

    A step may be at any of its calls when the Lease lapses, or when a process that was stopped goes on. So
    a call that is under way then is cut off: it may not even have been sent.

    Args:
        client: makes the calls.
        rest: for how many seconds the Lease is held though nobody renews it; none: it is not held.
    """

    def __init__(self, client: Client, rest: Callable[[], float]) -> None:
        self._client, self._rest = client, rest

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        """Return an object as it is now."""
        return await self._client.get(endpoint, namespace, name)

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        """Return all objects that a label selector chooses."""
        return await self._client.list(endpoint, namespace, selector)

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        """Give each object that a label selector chooses to `take`; return the version of the list."""
        return await self._client.each(endpoint, namespace, selector, take)

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Create an object."""
        async with self._held():
            return await self._client.create(endpoint, namespace, manifest)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Put another object in the place of one."""
        async with self._held():
            return await self._client.replace(endpoint, namespace, manifest)

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        """Put a status in the place of one."""
        async with self._held():
            return await self._client.replace_status(endpoint, namespace, name, version, status)

    async def delete(
        self,
        endpoint: Endpoint,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        grace_seconds: int | None = None,
    ) -> Object:
        """Delete an object."""
        async with self._held():
            return await self._client.delete(
                endpoint, namespace, name, uid=uid, version=version, grace_seconds=grace_seconds
            )

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        if self._rest() <= 0:
            raise LeaseLost("nothing is changed by an operator that does not hold the Lease")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as cut:
                timer: asyncio.TimerHandle

                def look() -> None:
                    nonlocal timer
                    rest = self._rest()
                    if rest > 0:  # it was renewed meanwhile
                        timer = loop.call_later(rest, look)
                    else:
                        cut.reschedule(loop.time())

                timer = loop.call_later(self._rest(), look)
                try:
                    yield
                finally:
                    timer.cancel()
        except TimeoutError:
            if not cut.expired():
                raise
            raise LeaseLost("a call was cut off: the Lease has lapsed, and another may hold it") from None
