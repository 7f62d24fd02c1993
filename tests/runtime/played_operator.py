"""The operator's parts, joined as `runtime/process.py` joins them, but for threads and sleeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from tests.planning.runs import SETTINGS

from runtime.played_watch import PlayedWatch, Told
from runtime.world import World
from vaportrail_operator.acting.apply import Applier
from vaportrail_operator.acting.apply_schedule import ScheduleApplier
from vaportrail_operator.acting.client import ApiError, Listing, Object
from vaportrail_operator.acting.endpoints import LEASES, SCHEDULES
from vaportrail_operator.acting.server_clock import ServerClock
from vaportrail_operator.observation.entries import entry_of
from vaportrail_operator.planning.kinds import Endpoint, Kind
from vaportrail_operator.planning.plan import plan
from vaportrail_operator.planning.types import RUN_UID_LABEL, Observed, Plan
from vaportrail_operator.runtime.cache import Cache, Key
from vaportrail_operator.runtime.claims import Claims
from vaportrail_operator.runtime.keys import ScheduleKey
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.live_runs import LiveRuns
from vaportrail_operator.runtime.metrics import Metrics
from vaportrail_operator.runtime.orphans import OrphanSweeper
from vaportrail_operator.runtime.reconciler import Reconciler
from vaportrail_operator.runtime.schedule_steps import ScheduleSteps
from vaportrail_operator.runtime.scheduled_runs import ScheduledRuns
from vaportrail_operator.runtime.workqueue import Backoff, WorkQueue

__all__ = ["PlayedOperator", "Surroundings"]

_RESYNC_SECONDS = 300.0
_LIST_AGAIN = 5.0
_LOOK_FOR_KUBERAY = 30.0


class Surroundings(Protocol):
    """What an operator is in."""

    world: World
    now: datetime
    ahead: float
    before_call: Callable[[str], None]
    after_call: Callable[[str], None]
    before_read: Callable[[str], None]
    errors: list[str]
    events: list[str]
    made: dict[str, int]

    def seconds(self) -> float:
        """Return the seconds that have passed."""


class _Calls:
    """The operator's client: each of its calls may fail, before or after it took effect."""

    def __init__(self, around: Surroundings, clock: ServerClock) -> None:
        self._around, self._world, self._clock = around, around.world, clock

    async def get(self, endpoint: Endpoint, namespace: str, name: str) -> Object:
        if endpoint is not LEASES:
            self._before_read(f"get {endpoint.kind}/{name}")
        return await self._world.get(endpoint, namespace, name)

    async def list(self, endpoint: Endpoint, namespace: str | None, selector: str = "") -> Listing:
        self._before_read(f"list {endpoint.kind}")
        return await self._world.list(endpoint, namespace, selector)

    async def each(
        self, endpoint: Endpoint, namespace: str | None, selector: str, take: Callable[[Object], None]
    ) -> str:
        # No fault of a run's life is one of schedules': which read is the fifth stays so.
        if endpoint is not SCHEDULES:
            self._before_read(f"list {endpoint.kind}")
        return await self._world.each(endpoint, namespace, selector, take)

    async def create(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        name = manifest["metadata"]["name"]
        call = f"create {endpoint.kind}/{name}"
        self._before(endpoint, call)
        reply = await self._world.create(endpoint, namespace, manifest)
        if endpoint is not LEASES:
            self._around.made[call] = self._around.made.get(call, 0) + 1
        return self._after(endpoint, call, reply)

    async def replace(self, endpoint: Endpoint, namespace: str, manifest: Mapping[str, Any]) -> Object:
        call = f"replace {endpoint.kind}/{manifest['metadata']['name']}"
        self._before(endpoint, call)
        return self._after(endpoint, call, await self._world.replace(endpoint, namespace, manifest))

    async def replace_status(
        self, endpoint: Endpoint, namespace: str, name: str, version: str, status: Mapping[str, Any]
    ) -> Object:
        call = f"status {endpoint.kind}/{name}"
        self._before(endpoint, call)
        reply = await self._world.replace_status(endpoint, namespace, name, version, status)
        return self._after(endpoint, call, reply)

    async def delete(self, endpoint: Endpoint, namespace: str, name: str, **options: Any) -> Object:
        call = f"delete {endpoint.kind}/{name}"
        self._before(endpoint, call)
        return self._after(endpoint, call, await self._world.delete(endpoint, namespace, name, **options))

    def _before_read(self, call: str) -> None:
        self._around.before_read(call)
        self._observe()

    def _observe(self) -> None:
        self._clock.observe(format_datetime(self._around.now, usegmt=True))

    def _before(self, endpoint: Endpoint, call: str) -> None:
        if endpoint is not LEASES:
            self._around.before_call(call)

    def _after(self, endpoint: Endpoint, call: str, reply: Object) -> Object:
        if endpoint is not LEASES:
            self._around.after_call(call)
        self._observe()
        return reply


class PlayedOperator:
    """An operator that knows nothing yet.

    Args:
        around: the world, its time, and what befalls calls.
        watch: what tells it of changes.
        plan_run: the planner of runs.
    """

    def __init__(
        self,
        around: Surroundings,
        watch: PlayedWatch,
        plan_run: Callable[[Observed], Plan] = lambda seen: plan(seen),
    ) -> None:
        self._around, self._watch = around, watch
        clock = around.seconds
        self._time = ServerClock(clock, lambda: around.now + timedelta(seconds=around.ahead))
        client = _Calls(around, self._time)
        retries = Backoff(0.25, 30.0, lambda: 1.0)
        self._queue: WorkQueue[Key] = WorkQueue(clock, retries, refusals=Backoff(1.0, 600.0, lambda: 1.0))
        self._cache = Cache(clock, self._changed)
        self._live = LiveRuns(self._cache)
        self._scheduled = ScheduledRuns(self._cache)
        self._lister = Lister(client, self._cache)
        applier = Applier(
            client,
            self._cache,
            now=self._time.now,
            token=lambda: "0" * 64,
            instance="test",
            send_event=lambda body: around.events.append(body["reason"]),
        )
        claims = Claims(client, "system/operator", clock=clock, now=self._time.now, live=list, duration=10**9)
        metrics = Metrics()
        self._orphans = OrphanSweeper(self._cache, client, clock, metrics, now=self._time.now)
        self._reconciler = Reconciler(
            queue=self._queue,
            cache=self._cache,
            applier=applier,
            plan=plan_run,
            settings=SETTINGS,
            kuberay=lambda: self._lister.kuberay,
            now=self._time.now,
            metrics=metrics,
            claims=claims,
            sweep_of_gone=self._orphans.sweep_of_gone,
            pause=0.0,
            schedules=ScheduleSteps(
                cache=self._cache,
                runs=self._scheduled,
                applier=ScheduleApplier(
                    client,
                    self._cache,
                    now=self._time.now,
                    instance="test",
                    send_event=lambda body: around.events.append(body["reason"]),
                ),
                now=self._time.now,
                metrics=metrics.schedules,
            ),
        )
        self._metrics = metrics
        self._list_at = 0.0
        self._kuberay_at = 0.0
        self._errors = 0

    def _changed(self, key: Key) -> None:
        self._live.changed(key)
        schedule = self._scheduled.changed(key)
        self._queue.add(key)
        if schedule is not None:
            self._queue.add(schedule)

    def end(self) -> None:
        """End without a word."""
        self._watch.end()

    def moments(self) -> list[float]:
        """Return when it has something to do next."""
        told, due = self._watch.next(), list(self._queue._due.values())
        moments = [self._list_at, *due, *([told] if told is not None else [])]
        return moments if self._lister.kuberay else [*moments, self._kuberay_at]

    async def turn(self) -> None:
        """Do all that is to be done now.

        Raises:
            BaseException: the process ends, as a fault has it.
        """
        now = self._around.seconds()
        for told in self._watch.due():
            self._take_in(told)
        if now >= self._list_at:
            await self._list()
        elif not self._lister.kuberay and now >= self._kuberay_at:
            self._kuberay_at = now + _LOOK_FOR_KUBERAY
            with suppress(ApiError):
                await self._lister.look_for_kuberay()
            if self._lister.kuberay:
                for key, _ in self._cache.runs():
                    self._changed(key)
        while self._queue.depth:
            key = await self._queue.get()
            assert key is not None
            await self._reconciler._work_on(key)
            self._note_errors()

    async def step(self, key: Key) -> float | None:
        """Take one step, whatever the queue says; returns when the next one is wanted."""
        await self._lister.list_all()
        return await self._reconciler.step(key)

    async def _list(self) -> None:
        if not self._list_at:
            self._watch.begin()
        try:
            await self._lister.list_all()
        except ApiError:
            self._list_at = self._around.seconds() + _LIST_AGAIN
            return
        self._list_at = self._around.seconds() + _RESYNC_SECONDS
        self._kuberay_at = self._around.seconds() + _LOOK_FOR_KUBERAY
        for key in (*self._live, *self._cache.schedules()):
            self._queue.remind(key)
        await self._orphans.sweep()

    def _take_in(self, told: Told) -> None:
        entry = entry_of(told.kind, told.raw)
        if entry is None:
            return
        if told.gone:
            new = self._cache.drop(entry.object_key, entry.uid, entry.version)
        else:
            new = self._cache.put(entry, from_watch=True)
        place = entry.object_key
        if new and place.kind is Kind.SCHEDULE:
            self._queue.add(ScheduleKey(place.namespace, place.name), urgent=True)
        elif new and entry.run_name:
            self._queue.add((place.namespace, entry.run_name), urgent=True)
        if new and told.gone and RUN_UID_LABEL in (told.raw["metadata"].get("labels") or {}):
            self._queue.retry_one_refused(place.namespace)

    def _note_errors(self) -> None:
        errors = int(self._metrics.reconciles.labels("error")._value.get())
        if errors > self._errors:
            self._around.errors.append("a step raised what is no answer of the API server's")
        self._errors = errors
