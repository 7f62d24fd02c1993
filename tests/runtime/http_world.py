"""The world in memory behind a real HTTP port: what a client, its connections and time-outs make of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from kubernetes.aio.client import Configuration

from runtime.world import World
from vaportrail_operator.acting import endpoints
from vaportrail_operator.acting.client import AlreadyExists, ApiError
from vaportrail_operator.acting.kubernetes_client import KubernetesClient
from vaportrail_operator.planning.kinds import Endpoint

__all__ = ["HttpWorld", "served"]

_ENDPOINTS = [each for each in vars(endpoints).values() if isinstance(each, Endpoint)]


class HttpWorld:
    """A world, and how slowly its port answers.

    Attributes:
        world: the objects.
        slow_lists: seconds that a list takes, by plural.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.slow_lists: dict[str, float] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request as an API server does."""
        try:
            body, code = await self._carry_out(request), 200
        except ApiError as error:
            reason = error.reason or ("AlreadyExists" if isinstance(error, AlreadyExists) else "")
            code = error.status or 500
            body = {"kind": "Status", "reason": reason, "message": str(error), "code": code}
        return web.json_response(body, status=code)

    async def _carry_out(self, request: web.Request) -> dict[str, Any]:
        endpoint, namespace, name = _parsed(request.path)
        body = json.loads(await request.read() or b"{}")
        world = self.world
        match request.method:
            case "GET" if name:
                return await world.get(endpoint, namespace or "", name)
            case "GET":
                listing = await world.list(endpoint, namespace, request.query.get("labelSelector", ""))
                await asyncio.sleep(self.slow_lists.get(endpoint.plural, 0.0))
                return {"items": listing.items, "metadata": {"resourceVersion": listing.version}}
            case "POST":
                return await world.create(endpoint, namespace or "", body)
            case "PUT":
                return await world.replace(endpoint, namespace or "", body)
            case "PATCH":
                version, status = (each["value"] for each in body)
                return await world.replace_status(endpoint, namespace or "", name, version, status)
            case _:
                wanted = body.get("preconditions", {})
                return await world.delete(
                    endpoint,
                    namespace or "",
                    name,
                    uid=wanted.get("uid", ""),
                    version=wanted.get("resourceVersion", ""),
                    grace_seconds=body.get("gracePeriodSeconds"),
                )


def _parsed(path: str) -> tuple[Endpoint, str | None, str]:
    """Return what a path leads to: the kind, the namespace, the name."""
    for endpoint in _ENDPOINTS:
        root = endpoint.path(None).removesuffix(f"/{endpoint.plural}")
        parts = path.removeprefix(root).strip("/").split("/")
        namespace = parts[1] if parts[0] == "namespaces" else None
        rest = parts[2:] if namespace else parts
        if path.startswith(f"{root}/") and rest[:1] == [endpoint.plural]:
            return endpoint, namespace, rest[1] if len(rest) > 1 else ""
    raise AssertionError(f"no path of an API server: {path}")


@asynccontextmanager
async def served(
    world: HttpWorld, observe_date: Callable[[str], None] = lambda date: None
) -> AsyncIterator[KubernetesClient]:
    """Serve a world on a free port of the loopback; gives a client of it."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", world.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    client = KubernetesClient(configuration, observe_date=observe_date)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()
