"""A coordination Lease: at most one operator works at a time.

A pod's name is its identity, so an operator that was killed and begun again in the same pod goes on at
once. Any other waits until the Lease has not been renewed for its duration, by its own clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from vaportrail_operator.acting.client import AlreadyExists, ApiError, Client, Conflict, NotFound, Object
from vaportrail_operator.acting.endpoints import LEASES

__all__ = ["Lease", "LeaseLost"]

_log = logging.getLogger(__name__)
_PATIENCE = 0.8
"""Of the duration: a holder that could not renew it stops before another may begin."""


class LeaseLost(Exception):
    """Another operator works now, or may."""


class Lease:
    """The Lease of this operator.

    Args:
        client: of the API server.
        namespace: of the Lease.
        name: of the Lease.
        identity: of this operator.
        clock: monotonic seconds.
        now: the time, for those who read the Lease.
        duration: seconds without a renewal after which somebody else may work.
        renewal: seconds between renewals.
        annotated: given the annotations that it has, returns those that it should have.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        duration: int = 15,
        renewal: float = 3.0,
        annotated: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    ) -> None:
        self._client, self._namespace, self._name = client, namespace, name
        self._identity, self._clock, self._now = identity, clock, now
        self._duration, self._renewal = duration, renewal
        self._annotated = annotated
        self._renew_deadline = duration * _PATIENCE
        self._watched: tuple[str, float] | None = None
        self._renewed = 0.0
        self._ours = False

    @property
    def left(self) -> float:
        """For how many seconds it is still held if it is not renewed; 0 where it is not."""
        return max(0.0, self._renewed + self._renew_deadline - self._clock()) if self._ours else 0.0

    @property
    def held(self) -> bool:
        """Whether this operator may work: the Lease is its own, and was renewed not long ago.

        By the clock, not by what the renewing found: a process that was stopped for a while goes on
        wherever it was, before it renews anything.
        """
        return self._ours and self._clock() < self._renewed + self._renew_deadline

    @property
    def rest(self) -> float:
        """For how many seconds this operator may work though nothing is renewed."""
        return self._renewed + self._renew_deadline - self._clock() if self._ours else 0.0

    async def acquire(self) -> None:
        """Wait until this operator may work."""
        told = ""
        while not self.held:
            try:
                # An answer that comes later may tell of a Lease that is another's again.
                async with asyncio.timeout(self._renew_deadline):
                    holder = await self.take()
            except (ApiError, TimeoutError) as error:
                holder = f"the API server: {_as_message(error)}"
            if holder and holder != told:
                _log.info("waiting for the Lease", extra={"lease": self._name, "holder": holder})
                told = holder
            if not self.held:
                await asyncio.sleep(min(1.0, self._renewal))

    async def hold(self) -> None:
        """Renew it for ever.

        Raises:
            LeaseLost: it is another's, or could not be renewed for most of its duration.
        """
        while (rest := self._renewed + self._renew_deadline - self._clock()) > 0:
            await asyncio.sleep(min(self._renewal, rest))
            holder = ""
            try:
                async with asyncio.timeout(self._renewed + self._renew_deadline - self._clock()):
                    holder = await self.take()
            except ApiError as error:
                _log.warning("the Lease could not be renewed: %s", error)
            except TimeoutError:
                # A call may wait for its answer much longer than the Lease lasts.
                break
            if holder:
                raise LeaseLost(f"{holder} holds the Lease {self._namespace}/{self._name}")
        self._ours = False
        raise LeaseLost(f"the Lease {self._namespace}/{self._name} could not be renewed in time")

    async def release(self) -> None:
        """Let another operator work at once; what fails is only logged."""
        if not self._ours:
            return
        self._ours = False
        try:
            there = await self._client.get(LEASES, self._namespace, self._name)
            if (there.get("spec") or {}).get("holderIdentity") == self._identity:
                await self._client.replace(LEASES, self._namespace, self._written(there, holder=""))
        except ApiError as error:
            _log.warning("the Lease could not be given back: %s", error)

    async def take(self) -> str:
        """Take or renew it; returns who holds it, where that is another.

        Raises:
            ApiError: a call failed.
        """
        asked = self._clock()
        try:
            there = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            there = {}
        spec = there.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder not in ("", self._identity) and not self._expired(spec, asked):
            self._ours = False
            return holder
        try:
            if there:
                await self._client.replace(LEASES, self._namespace, self._written(there))
            else:
                await self._client.create(LEASES, self._namespace, self._written({}))
        except (AlreadyExists, Conflict, NotFound):
            return "" if self._ours else "another that was quicker"
        self._renewed, self._ours = asked, True
        return ""

    def _expired(self, spec: Object, now: float) -> bool:
        mark = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if self._watched is None or self._watched[0] != mark:
            self._watched = (mark, now)
        return now - self._watched[1] > float(spec.get("leaseDurationSeconds") or self._duration)

    def _written(self, there: Object, holder: str | None = None) -> dict[str, Any]:
        spec = dict(there.get("spec") or {})
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        identity = self._identity if holder is None else holder
        if spec.get("holderIdentity") != identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec.update(holderIdentity=identity, leaseDurationSeconds=self._duration, renewTime=now)
        before = there.get("metadata") or {}
        annotations = dict(self._annotated(before.get("annotations") or {}))
        metadata = {"name": self._name, "namespace": self._namespace, "annotations": annotations}
        version = before.get("resourceVersion")
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {**metadata, **({"resourceVersion": version} if version else {})},
            "spec": spec,
        }


def _as_message(error: Exception) -> str:
    return str(error) or "no answer in time"
