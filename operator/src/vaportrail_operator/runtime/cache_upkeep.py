"""Keeps the cache true: lists at the start, watches, and lists again what watches may have missed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from vaportrail_operator.acting.client import ApiError, Client
from vaportrail_operator.observation.entries import Entry, ObjectKey, entry_of
from vaportrail_operator.observation.fields import Raw, metadata_of
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.runtime.cache import Cache
from vaportrail_operator.runtime.endless import cancelled, first_failure
from vaportrail_operator.runtime.listing import Lister
from vaportrail_operator.runtime.watch_thread import Watch, WatchHost
from vaportrail_operator.runtime.watched_response import PARTIAL
from vaportrail_operator.runtime.workqueue import Backoff

__all__ = ["CacheUpkeep", "WatchMaker"]

_log = logging.getLogger(__name__)
_RESYNC_SECONDS = 300.0
_SETTLE_SECONDS = 1.0
_MISSING_SECONDS = 30.0

WatchMaker = Callable[[Callable[[Kind, Raw, bool], None]], Watch]
"""Given a sink for what is seen (kind, object, whether it is gone), returns what watches."""


class CacheUpkeep:
    """Keeps the cache true, whoever leads.

    Args:
        client: of the API server.
        cache: is kept.
        namespaces: to list; none: all.
        watch: watches kinds: `kopf_watch.watch`.
        clock: monotonic seconds.
        connects: told each time that a list or watch begins.
        news: told what a watch said that was not known, and whether it is gone.
        listed: called after each further list.
        kuberay_came: told that RayClusters are served, where they were not.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        namespaces: Collection[str],
        watch: WatchMaker,
        *,
        clock: Callable[[], float],
        connects: Callable[[], None],
        news: Callable[[Entry, bool], None],
        listed: Callable[[], Awaitable[None]],
        kuberay_came: Callable[[], None],
    ) -> None:
        self._cache, self._connects, self._news = cache, connects, news
        self._listed, self._kuberay_came = listed, kuberay_came
        self._loop = asyncio.get_running_loop()
        self._lister = Lister(client, cache, namespaces)
        self._backoff = Backoff(0.5, 15.0, random.random)
        self._listing_wanted = asyncio.Event()
        self._host = WatchHost(
            watch(self._put),
            lambda: self._lister.kinds,
            self._watch_connected,
            clock,
            Backoff(0.25, 30.0, random.random),
        )

    @property
    def kuberay(self) -> bool:
        """Whether RayClusters are served, as of the last list."""
        return self._lister.kuberay

    @property
    def watches_down_seconds(self) -> float:
        """For how long nothing has been watched."""
        return self._host.down_seconds

    async def begin(self) -> None:
        """List all there is, however long that takes."""
        await self._persist(self._lister.list_all, "listing")

    async def run(self) -> None:
        """Watch, and list again, for ever.

        Raises:
            Exception: a part of it ended, or what it calls raised.
        """
        tasks = [
            asyncio.create_task(each, name=name)
            for name, each in (
                ("watches", self._host.run()),
                ("resync", self._keep_listing()),
                ("missing", self._look_for_what_is_missing()),
            )
        ]
        try:
            await first_failure(tasks)
        finally:
            await cancelled(*tasks)

    def stop(self) -> None:
        """End the watches for good."""
        self._host.stop()

    def _put(self, kind: Kind, raw: Raw, gone: bool) -> None:
        # Called by the watching thread: objects are reduced there, and the rest happens in the loop.
        if raw.get("kind") == PARTIAL:
            metadata = metadata_of(raw)
            object_key = ObjectKey(kind, metadata.get("namespace", ""), metadata.get("name", ""))
            uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._cache.confirm, object_key, uid, version)
            return
        entry = entry_of(kind, raw)
        if entry is None:
            return
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take_in, entry, gone)
        _log.debug("heard of %s", kind, extra={"object": metadata_of(raw).get("name", "")})

    def _take_in(self, entry: Entry, gone: bool) -> None:
        if gone:
            new = self._cache.drop(entry.object_key, entry.uid, entry.version)
        else:
            new = self._cache.put(entry, from_watch=True)
        if new:
            self._news(entry, gone)

    def _watch_connected(self) -> None:
        self._connects()
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
            await self._listed()

    async def _look_for_what_is_missing(self) -> None:
        while True:
            await asyncio.sleep(_MISSING_SECONDS)
            await self._persist(self._lister.list_refused, "listing")
            if not self._lister.kuberay and await self._persist(self._lister.look_for_kuberay, "discovery"):
                self._host.restart()
                self._kuberay_came()

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
