"""The operator's life: the first lists, the watches, the Lease, then steps, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.apply_schedule import ScheduleApplier
from vaportrail_operator.acting.client import Client
from vaportrail_operator.observation.entries import Entry
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import Observed, Plan
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.cache_upkeep import CacheUpkeep, WatchMaker
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.endless import cancelled, first_failure
from vaportrail_operator.runtime.event_sender import EventSender
from vaportrail_operator.runtime.fenced_client import FencedClient
from vaportrail_operator.runtime.health import Health
from vaportrail_operator.runtime.keys import Key, ScheduleKey, group_of
from vaportrail_operator.runtime.lease import Lease
from vaportrail_operator.runtime.live_runs import LiveRuns
from vaportrail_operator.runtime.metrics import Metrics, Readings
from vaportrail_operator.runtime.orphans import OrphanSweeper
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.schedule_steps import ScheduleSteps
from vaportrail_operator.runtime.scheduled_runs import ScheduledRuns
from vaportrail_operator.runtime.server import serving
from vaportrail_operator.runtime.settings import Environment
from vaportrail_operator.runtime.unserved import Unserved
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

__all__ = ["Operator"]

_log = logging.getLogger(__name__)
_STEPS = 64
_STEPS_OF_NAMESPACE = 8
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
        metrics: of the process; its own unless given.
    """

    def __init__(
        self,
        environment: Environment,
        client: Client,
        plan: Callable[[Observed], Plan],
        watch: WatchMaker,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease_seconds: int = 15,
        metrics: Metrics | None = None,
    ) -> None:
        self._environment = environment
        self._loop = asyncio.get_running_loop()
        clock = self._loop.time
        retries = Backoff(0.25, 30.0, random.random)
        self._queue: WorkQueue[Key] = WorkQueue(
            clock,
            retries,
            refusals=Backoff(1.0, 600.0, random.random),
            group_of=group_of,
            at_once=_STEPS,
            at_once_of_group=_STEPS_OF_NAMESPACE,
        )
        self._leading = False
        self._cache = Cache(clock, self._changed)
        self._live = LiveRuns(self._cache)
        self._scheduled = ScheduledRuns(self._cache)
        self._metrics = metrics or Metrics()
        self._upkeep = CacheUpkeep(
            client,
            self._cache,
            environment.namespaces,
            watch,
            clock=clock,
            connects=self._metrics.watch_connects.inc,
            news=self._news,
            listed=self._listed,
            kuberay_came=self._kuberay_came,
        )
        installation = f"{environment.namespace}/{environment.lease}"
        self._unserved = Unserved(environment.namespaces, self._live.counts, installation)
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
        fenced = FencedClient(client, lambda: self._lease.rest)
        self._orphans = OrphanSweeper(self._cache, fenced, clock, self._metrics, now=now)
        self._claims = Claims(fenced, installation, clock=clock, now=now, live=self._busy_namespaces)
        self._health = Health(
            self._cache,
            lambda: self._upkeep.watches_down_seconds,
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
            kuberay=lambda: self._upkeep.kuberay,
            now=now,
            metrics=self._metrics,
            claims=self._claims,
            sweep_of_gone=self._orphans.sweep_of_gone,
            schedules=ScheduleSteps(
                cache=self._cache,
                runs=self._scheduled,
                applier=ScheduleApplier(
                    fenced,
                    self._cache,
                    now=now,
                    instance=environment.identity,
                    send_event=self._events.send,
                ),
                now=now,
                metrics=self._metrics.schedules,
            ),
        )
        self._metrics.read_from(
            Readings(
                queue=self._queue,
                leads=lambda: self._lease.held,
                lease_left=lambda: self._lease.left,
                others=lambda: len(self._claims.others),
                unserved=lambda: self._unserved.runs,
                phases=lambda: [seen.phase for _, seen in self._cache.runs()],
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
        await self._upkeep.begin()
        self._health.listed = True

    async def _work(self, stop: asyncio.Event) -> int:
        leading = asyncio.create_task(self._lead(), name="leading")
        others = [
            asyncio.create_task(each, name=name)
            for name, each in (
                ("cache", self._upkeep.run()),
                ("events", self._events.run()),
            )
        ]
        try:
            status = await self._until(stop, first_failure([leading, *others]), "working") or 0
            self._queue.close()
            self._upkeep.stop()
            # Whoever may hold the Lease now must not meet a step of ours.
            await asyncio.wait([leading], timeout=_STOP_SECONDS if self._lease.held else 0.0)
            if self._queue.at_work:
                _log.warning("%d steps did not end in time", self._queue.at_work)
            await self._events.flush(_FLUSH_SECONDS)
        finally:
            self._upkeep.stop()
            await cancelled(leading, *others)
        return status

    async def _lead(self) -> None:
        """Wait for the Lease; renew it for as long as steps are taken."""
        await self._lease.acquire()
        holding = asyncio.create_task(self._lease.hold(), name="lease")
        claiming = asyncio.create_task(self._claims.keep(), name="claims")
        working = asyncio.create_task(self._reconciler.work(), name="steps")
        _log.info("the Lease is held")
        self._leading = True
        self._reconciler.room.expect(key for key, run in self._cache.runs() if not run.over)
        for run, _ in self._cache.runs():
            self._queue.add(run)
        for schedule in self._cache.schedules():
            self._queue.add(schedule)
        try:
            await first_failure([holding, claiming, working])
        finally:
            await cancelled(holding, claiming, working)

    def _changed(self, key: Key) -> None:
        self._live.changed(key)
        schedule = self._scheduled.changed(key)
        # A standby knows what there is, and does nothing about it: it looks at each run when it leads.
        if self._leading:
            self._queue.add(key)
            if schedule is not None:
                self._queue.add(schedule)

    def _busy_namespaces(self) -> set[str]:
        """Return where runs live, or may be made at any time."""
        return {*self._live.counts(), *(key.namespace for key in self._cache.schedules())}

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

    def _news(self, entry: Entry, gone: bool) -> None:
        """Act on what a watch said that no list and no reply had said before."""
        if not self._leading:
            return
        place = entry.object_key
        if place.kind is Kind.SCHEDULE:
            self._queue.add(ScheduleKey(place.namespace, place.name), urgent=True)
        elif entry.run_name:
            self._queue.add((place.namespace, entry.run_name), urgent=True)
        if gone and place.kind is Kind.POD:
            # It may have made room in a quota.
            self._queue.retry_one_refused(group_of((place.namespace, entry.run_name)))

    async def _listed(self) -> None:
        if self._leading:
            # A machine that slept waits too long by a clock that stood still.
            for key in (*self._live, *self._cache.schedules()):
                self._queue.remind(key)
            await self._orphans.sweep()

    def _kuberay_came(self) -> None:
        for key, _ in self._cache.runs():
            self._changed(key)
