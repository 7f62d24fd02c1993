"""kopf as a watch host: it lists, watches and reconnects; what is said goes to a sink, and that is all.

The only module that imports kopf. None of its own ways to keep state are used: no finalizers, no
annotations, no handlers that are retried. Of objects it is given no more than their places and versions.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

import aiohttp
import kopf
from yarl import URL

from vaportrail_operator.acting.kubernetes_client import Access
from vaportrail_operator.observation.fields import Raw
from vaportrail_operator.planning.kinds import ENDPOINTS, LABELLED, Kind
from vaportrail_operator.planning.types import RUN_UID_LABEL
from vaportrail_operator.runtime.watched_response import ask_for_less, watched_response

__all__ = ["Sink", "watch"]

_log = logging.getLogger(__name__)

Sink = Callable[[Kind, Raw, bool], None]
"""Is given the kind, the object and whether it is gone. Called by the thread that watches.

Of what was listed only the place and the version are given, as a `PartialObjectMetadata`.
"""

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
    kind_of = {_path(kind): kind for kind in kinds}

    def put(kind: Kind, raw: Any, gone: bool) -> None:
        try:
            sink(kind, raw, gone)
        except Exception:
            _log.exception("an event of a %s could not be taken in", kind)

    def take(url: URL, event: Mapping[str, Any]) -> None:
        kind = kind_of.get(_asked(url))
        if kind is not None:
            put(kind, event.get("object"), event["type"] == "DELETED")

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        found: Access = await access()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=found.tls),
            response_class=watched_response(take),
            trace_configs=[ask_for_less()],
            headers={"Authorization": found.authorization} if found.authorization else {},
        )
        return kopf.AiohttpSession(server=found.server, aiohttp_session=session)

    for kind in kinds:
        _register(registry, kind, put)
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


def _register(registry: kopf.OperatorRegistry, kind: Kind, put: Sink) -> None:
    @kopf.on.event(id=f"watch-{kind.value.lower()}", registry=registry, **_selector(kind))
    async def listed(event: Any, **_: Any) -> None:
        # What a watch says was taken in as it was read.
        if event["type"] is None:
            put(kind, event["object"], False)


def _path(kind: Kind) -> tuple[str, str]:
    endpoint = ENDPOINTS[kind]
    return f"{endpoint.group}/{endpoint.version}".lstrip("/"), endpoint.plural


def _asked(url: URL) -> tuple[str, str]:
    """Return what is watched by a URL: `/api/v1/…/pods`, `/apis/<group>/<version>/…/<plural>`."""
    parts = url.path.strip("/").split("/")
    return "/".join(parts[1 : 3 if parts[0] == "apis" else 2]), parts[-1]


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
    settings.watching.chunk_size = 100
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
