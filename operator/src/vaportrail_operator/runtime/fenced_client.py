"""A client that changes something only while this operator holds its Lease."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vaportrail_operator.acting.client import Client, Listing, Object
from vaportrail_operator.planning.kinds import Endpoint
from vaportrail_operator.runtime.lease import LeaseLost

__all__ = ["FencedClient"]


class FencedClient:
    """A `Client` whose changes raise `LeaseLost` while the Lease is not held; it reads at any time.

    A step may be at any of its calls when the Lease lapses, or when a process that was stopped goes on.

    Args:
        client: makes the calls.
        held: whether the Lease is held.
    """

    def __init__(self, client: Client, held: Callable[[], bool]) -> None:
        self._client, self._held = client, held

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
        self._check()
        return await self._client.create(endpoint, namespace, manifest)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Put another object in the place of one."""
        self._check()
        return await self._client.replace(endpoint, namespace, manifest)

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        """Put a status in the place of one."""
        self._check()
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
        self._check()
        return await self._client.delete(
            endpoint, namespace, name, uid=uid, version=version, grace_seconds=grace_seconds
        )

    def _check(self) -> None:
        if not self._held():
            raise LeaseLost("nothing is changed by an operator that does not hold the Lease")
