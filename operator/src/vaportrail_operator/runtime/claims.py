"""Which installation brings on the runs of a namespace: a Lease in each that has live runs.

The Lease of `runtime/lease.py` says which pod of an installation works. Where two installations serve the
same namespace, nothing else would keep them apart: each would lead its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime

from vaportrail_operator.acting.client import ApiError, Client, NamespaceTerminating
from vaportrail_operator.runtime.lease import Lease, LeaseLost

__all__ = ["CLAIM", "Claims"]

_log = logging.getLogger(__name__)
CLAIM = "vaportrail.dev"
"""The Lease's name in each namespace: no release's own Lease has a dot in its name."""
_RENEWED_AT_ONCE = 8


class Claims:
    """The namespaces that this installation brings runs on in.

    A claim is taken with the first live run, renewed as long as there is one, and then left to lapse. It
    is the installation's, not the pod's: a standby that takes over goes on at once, and so does an operator
    that was replaced in time.

    Args:
        client: of the API server; changes nothing while this operator does not lead.
        installation: who claims: the namespace and name of the installation's own Lease.
        clock: monotonic seconds.
        now: the time, for those who read the Leases.
        live: the namespaces that have live runs.
        duration: seconds after which a claim that was not renewed may be taken.
    """

    def __init__(
        self,
        client: Client,
        installation: str,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        live: Callable[[], Collection[str]],
        duration: int = 60,
    ) -> None:
        self._client, self._installation, self._live = client, installation, live
        self._clock, self._now, self._duration = clock, now, duration
        self._renewal = duration / 4
        self._leases: dict[str, Lease] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked: dict[str, float] = {}
        self.others: dict[str, str] = {}
        """The namespaces that another installation has claimed, and which."""

    @property
    def again(self) -> float:
        """Seconds after which it may be asked anew for a namespace that is another's."""
        return self._renewal

    async def holds(self, namespace: str) -> bool:
        """Return whether runs of a namespace may be brought on; claims it where nobody else has.

        Raises:
            ApiError: a call failed.
        """
        async with self._locks[namespace]:
            lease = self._leases.get(namespace)
            if lease is not None and lease.held:
                return True
            if namespace in self.others and self._clock() - self._asked[namespace] < self._renewal:
                return False
            self._asked[namespace] = self._clock()
            try:
                return await self._take(namespace)
            except NamespaceTerminating:
                # Nothing can be made in it any more, by nobody; what is left is removed by whoever comes.
                return True

    async def keep(self) -> None:
        """Renew for ever what is still needed."""
        while True:
            await asyncio.sleep(self._renewal)
            live = set(self._live())
            for namespace in set(self._leases) - live:
                # It lapses by itself.
                self._forget(namespace)
            waiting = sorted(set(self._leases) & live)
            async with asyncio.TaskGroup() as renewals:
                for _ in range(_RENEWED_AT_ONCE):
                    renewals.create_task(self._renew(waiting))

    async def _renew(self, waiting: list[str]) -> None:
        while waiting:
            namespace = waiting.pop()
            try:
                async with self._locks[namespace], asyncio.timeout(self._renewal):
                    await self._take(namespace)
            except (ApiError, LeaseLost, TimeoutError) as error:
                _log.warning("the claim on namespace %s could not be renewed: %s", namespace, error)

    async def _take(self, namespace: str) -> bool:
        lease = self._leases.get(namespace) or Lease(
            self._client,
            namespace,
            CLAIM,
            self._installation,
            clock=self._clock,
            now=self._now,
            duration=self._duration,
            renewal=self._renewal,
        )
        self._leases[namespace] = lease
        holder = await lease.take()
        if holder and self.others.get(namespace) != holder:
            _log.warning(
                "runs in namespace %s are left to another installation, %s: let each namespace be served by "
                "one, by `watchNamespaces`",
                namespace,
                holder,
            )
        if holder:
            self.others[namespace] = holder
        else:
            self.others.pop(namespace, None)
        return not holder

    def _forget(self, namespace: str) -> None:
        del self._leases[namespace]
        self._asked.pop(namespace, None)
        self.others.pop(namespace, None)
        if not self._locks[namespace].locked():
            del self._locks[namespace]
