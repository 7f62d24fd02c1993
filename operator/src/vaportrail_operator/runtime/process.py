"""The operator's life: the first lists, the watches, the Lease, then steps, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.client import ApiError, Client
from vaportrail_operator.observation.entries import Entry, Watched, entry_of
from vaportrail_operator.observation.fields import Raw, metadata_of
from vaportrail_operator.planning.types import Observed, Plan
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.event_sender import EventSender
from vaportrail_operator.runtime.fenced_client import FencedClient
from vaportrail_operator.runtime.health import Health
from vaportrail_operator.runtime.lease import Lease
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.metrics import Metrics, Readings
from vaportrail_operator.runtime.orphans import OrphanSweeper
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.server import serving
from vaportrail_operator.runtime.settings import Environment
from vaportrail_operator.runtime.unserved import Unserved
from vaportrail_operator.runtime.watch_thread import Watch, WatchHost
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

__all__ = ["Operator"]

_log = logging.getLogger(__name__)
_STEPS = 64
_STEPS_OF_NAMESPACE = 8
_RESYNC_SECONDS = 300.0
_SETTLE_SECONDS = 1.0
_MISSING_SECONDS = 30.0
_STOP_SECONDS = 10.0
_FLUSH_SECONDS = 1.0


class Operator:
    """All parts of the operator, put together. Make it inside the event loop that it works in.

    Args:
        environment: what it was installed with.
        client: of the API server.
        plan: the planner.
        watch: watches kinds and gives what is seen to the sink: `kopf_watch.watch`.
        now: the time, as the API server has it.
        lease_seconds: after which another may work, if this one does not renew its Lease.
    """

    def __init__(
        self,
        environment: Environment,
        client: Client,
        plan: Callable[[Observed], Plan],
        watch: Callable[[Callable[[Watched, Raw, bool], None]], Watch],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease_seconds: int = 15,
    ) -> None:
        self._environment = environment
        self._loop = asyncio.get_running_loop()
        clock = self._loop.time
        retries = Backoff(0.25, 30.0, random.random)
        self._queue: WorkQueue[Key] = WorkQueue(
            clock,
            retries,
            refusals=Backoff(1.0, 600.0, random.random),
            group_of=lambda key: key[0],
            at_once=_STEPS,
            at_once_of_group=_STEPS_OF_NAMESPACE,
        )
        self._leading = False
        self._cache = Cache(clock, self._changed)
        self._metrics = Metrics()
        self._lister = Lister(client, self._cache, environment.namespaces)
        self._listing_wanted = asyncio.Event()
        self._host = WatchHost(
            watch(self._put), lambda: self._lister.kinds, self._watch_connected, clock, retries
        )
        installation = f"{environment.namespace}/{environment.lease}"
        self._unserved = Unserved(environment.namespaces, self._live, installation)
        self._lease = Lease(
            client,
            environment.namespace,
            environment.lease,
            environment.identity,
            clock=clock,
            now=now,
            duration=lease_seconds,
            renewal=lease_seconds / 5,
            annotated=self._unserved.annotated,
        )
        self._events = EventSender(client, clock, self._metrics.events_dropped.inc)
        fenced = FencedClient(client, lambda: self._lease.held)
        self._orphans = OrphanSweeper(self._cache, fenced, clock, self._metrics, now=now)
        self._claims = Claims(
            fenced,
            installation,
            clock=clock,
            now=now,
            live=self._live,
        )
        self._health = Health(
            self._cache,
            lambda: self._host.down_seconds,
            lambda: self._lease.held or not self._leading,
        )
        self._reconciler = Reconciler(
            queue=self._queue,
            cache=self._cache,
            applier=Applier(
                fenced,
                self._cache,
                now=now,
                token=lambda: secrets.token_hex(32),
                instance=environment.identity,
                send_event=self._events.send,
            ),
            plan=plan,
            settings=environment.settings,
            kuberay=lambda: self._lister.kuberay,
            now=now,
            metrics=self._metrics,
            claims=self._claims,
        )
        self._backoff = Backoff(0.5, 15.0, random.random)
        self._metrics.read_from(
            Readings(
                queue=lambda: (self._queue.depth, self._queue.oldest_seconds, self._queue.retries),
                leads=lambda: self._lease.held,
                others=lambda: len(self._claims.others),
                unserved=lambda: self._unserved.runs,
                phases=lambda: [seen.run.status.phase for _, seen in self._cache.runs()],
                watch_lag=lambda: {str(kind): seconds for kind, seconds in self._cache.watch_lag().items()},
            )
        )

    async def run(self, stop: asyncio.Event) -> int:
        """Work until told to stop; returns the process's exit status.

        Args:
            stop: no step is begun after it is set, and those begun have ten seconds.

        Raises:
            OSError: the port is taken.
        """
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(
                serving(
                    self._environment.port,
                    metrics=self._metrics.text,
                    problems=self._health.problems,
                    unready=self._health.unready,
                )
            )
            _log.info("started", extra={"port": port, "identity": self._environment.identity})
            status = await self._until(stop, self._begin(), "beginning")
            if status is None:
                status = await self._work(stop)
            await self._lease.release()
        _log.info("stopped", extra={"exit_status": status})
        return status

    async def _begin(self) -> None:
        # Before the Lease is asked for: lists may take longer than it lasts, and a standby knows all.
        await self._persist(self._lister.list_all, "listing")
        self._health.listed = True

    async def _work(self, stop: asyncio.Event) -> int:
        leading = asyncio.create_task(self._lead(), name="leading")
        others = [
            asyncio.create_task(each, name=name)
            for name, each in (
                ("watches", self._host.run()),
                ("resync", self._keep_listing()),
                ("missing", self._look_for_what_is_missing()),
                ("events", self._events.run()),
            )
        ]
        try:
            status = await self._until(stop, _first_failure([leading, *others]), "working") or 0
            self._queue.close()
            self._host.stop()
            # Whoever may hold the Lease now must not meet a step of ours.
            await asyncio.wait([leading], timeout=_STOP_SECONDS if self._lease.held else 0.0)
            if self._queue.at_work:
                _log.warning("%d steps did not end in time", self._queue.at_work)
            await self._events.flush(_FLUSH_SECONDS)
        finally:
            self._host.stop()
            await _cancelled(leading, *others)
        return status

    async def _lead(self) -> None:
        """Wait for the Lease; renew it for as long as steps are taken."""
        await self._lease.acquire()
        holding = asyncio.create_task(self._lease.hold(), name="lease")
        claiming = asyncio.create_task(self._claims.keep(), name="claims")
        working = asyncio.create_task(self._reconciler.work(), name="steps")
        _log.info("the Lease is held")
        self._leading = True
        for key, _ in self._cache.runs():
            self._queue.add(key)
        try:
            await _first_failure([holding, claiming, working])
        finally:
            await _cancelled(holding, claiming, working)

    def _live(self) -> Counter[str]:
        """Return how many runs have not ended, by namespace."""
        return Counter(namespace for (namespace, _), seen in self._cache.runs() if not seen.over)

    def _changed(self, key: Key) -> None:
        # A standby knows what there is, and does nothing about it: it looks at each run when it leads.
        if self._leading:
            self._queue.add(key)

    async def _until(self, stop: asyncio.Event, what: Coroutine[Any, Any, None], name: str) -> int | None:
        """Do something until it ends (None), fails (1) or the operator is told to stop (0)."""
        doing, stopping = asyncio.create_task(what, name=name), asyncio.create_task(stop.wait())
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
            return 0
        error = doing.exception()
        if error is None:
            return None
        _log.error("the operator ends: %s", error, exc_info=error)
        return 1

    def _put(self, kind: Watched, raw: Raw, gone: bool) -> None:
        # Called by the watching thread: objects are reduced there, and the rest happens here.
        entry = entry_of(kind, raw)
        if entry is None:
            return
        self._soon(lambda: self._take_in(entry, gone))
        _log.debug("heard of %s", kind, extra={"object": metadata_of(raw).get("name", "")})

    def _take_in(self, entry: Entry, gone: bool) -> None:
        if gone:
            new = self._cache.drop(entry.object_key, entry.uid, entry.version)
        else:
            new = self._cache.put(entry, from_watch=True)
        if not (new and self._leading):
            return
        if entry.run_name:
            self._queue.add((entry.object_key.namespace, entry.run_name), urgent=True)
        if gone and entry.object_key.kind is Watched.POD:
            # It may have made room in a quota.
            self._queue.retry_one_refused(entry.object_key.namespace)

    def _soon(self, what: Callable[[], object]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _watch_connected(self) -> None:
        self._metrics.watch_connects.inc()
        # What was deleted while nothing was watched, no watch will ever say.
        self._listing_wanted.set()

    async def _keep_listing(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_RESYNC_SECONDS * random.uniform(0.9, 1.1)):
                    await self._listing_wanted.wait()
            except TimeoutError:
                pass
            # The watches connect together.
            await asyncio.sleep(_SETTLE_SECONDS)
            self._listing_wanted.clear()
            before = self._lister.kinds
            await self._persist(self._lister.list_all, "listing")
            if self._lister.kinds != before:
                self._host.restart()
            if self._leading:
                for key, seen in self._cache.runs():
                    if not seen.over:
                        self._queue.remind(key)
                await self._orphans.sweep()

    async def _look_for_what_is_missing(self) -> None:
        while True:
            await asyncio.sleep(_MISSING_SECONDS)
            await self._persist(self._lister.list_refused, "listing")
            if not self._lister.kuberay and await self._persist(self._lister.look_for_kuberay, "discovery"):
                self._host.restart()
                for key, _ in self._cache.runs():
                    self._changed(key)

    async def _persist(self, call: Callable[[], Awaitable[Any]], what: str) -> Any:
        failures = 0
        while True:
            try:
                return await call()
            except ApiError as error:
                failures += 1
                delay = self._backoff.delay(failures)
                _log.warning("%s failed; again in %.1f s: %s", what, delay, error)
                await asyncio.sleep(delay)


async def _first_failure(tasks: list[asyncio.Task[None]]) -> None:
    """Return never, unless one of some endless tasks ends: then raise why."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    first = next(iter(done))
    raise first.exception() or RuntimeError(f"{first.get_name()} ended")


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
