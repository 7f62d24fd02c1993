"""kopf as a watch host: it lists, watches and reconnects; what it sees goes to a sink, and that is all.

The only module that imports kopf. None of its own ways to keep state are used: no finalizers, no
annotations, no handlers that are retried.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import aiohttp
import kopf

from vaportrail_operator.acting.kubernetes_client import Access
from vaportrail_operator.observation.fields import Raw
from vaportrail_operator.planning.kinds import ENDPOINTS, LABELLED, Kind
from vaportrail_operator.planning.types import RUN_UID_LABEL
from vaportrail_operator.runtime.tolerant_response import TolerantResponse

__all__ = ["Sink", "watch"]

_log = logging.getLogger(__name__)

Sink = Callable[[Kind, Raw, bool], None]
"""Is given the kind, the object and whether it is gone. Called by the thread that watches."""

_LONGEST_BACKOFF = 30.0


class _ForeverBackoff:
    """Delays between attempts, without an end: kopf's own give up after a minute and end the operator."""

    def __iter__(self) -> Iterator[float]:
        for attempt in itertools.count():
            full = min(_LONGEST_BACKOFF, 2.0 ** min(attempt, 10))
            yield full * (0.5 + 0.5 * random.random())


async def watch(
    kinds: Collection[Kind],
    namespaces: Collection[str],
    access: Callable[[], Any],
    sink: Sink,
    *,
    stop: asyncio.Event,
    connected: Callable[[], None],
) -> None:
    """Watch until told to stop. kopf owns the event loop that this runs in, and cancels its other tasks.

    Args:
        kinds: what to watch; each must be served.
        namespaces: where; none: everywhere.
        access: gives how to reach the API server, anew at each login.
        sink: is given what is seen.
        stop: ends it.
        connected: told each time that the list or the watch of a kind begins, also when it begins again.

    Raises:
        Exception: kopf gave up.
    """
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        found: Access = await access()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=found.tls),
            response_class=TolerantResponse,
            headers={"Authorization": found.authorization} if found.authorization else {},
        )
        return kopf.AiohttpSession(server=found.server, aiohttp_session=session)

    for kind in kinds:
        _register(registry, kind, sink)
    await kopf.operator(
        registry=registry,
        settings=_settings(kinds, connected),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=sorted(namespaces),
        # kopf would ask for its user's name, which a user that the cluster gives may not have.
        identity=cast(Any, "vaportrail"),
        stop_flag=stop,
    )


def _register(registry: kopf.OperatorRegistry, kind: Kind, sink: Sink) -> None:
    @kopf.on.event(id=f"watch-{kind.value.lower()}", registry=registry, **_selector(kind))
    async def put(event: Any, **_: Any) -> None:
        try:
            sink(kind, event["object"], event["type"] == "DELETED")
        except Exception:
            # kopf would log it with the object, and go on all the same.
            _log.exception("an event of a %s could not be taken in", kind)


def _selector(kind: Kind) -> dict[str, Any]:
    endpoint = ENDPOINTS[kind]
    return {"group": endpoint.group, "version": endpoint.version, "plural": endpoint.plural}


def _settings(kinds: Collection[Kind], connected: Callable[[], None]) -> kopf.OperatorSettings:
    def notice(_: object) -> bool:
        connected()
        return False

    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = _ForeverBackoff()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.enforce_retry_after = True
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    for kind in kinds:
        if kind in LABELLED:
            endpoint = ENDPOINTS[kind]
            chosen = (endpoint.group, endpoint.version, endpoint.plural)
            settings.watching.label_selectors[chosen] = RUN_UID_LABEL
    # kopf asks which selectors fit each time that it lists or watches: nothing else tells that it lists
    # anew, and of what was deleted before such a list it never tells at all.
    settings.watching.label_selectors[notice] = RUN_UID_LABEL
    settings.persistence.finalizer = "vaportrail.dev/kopf"
    return settings
