"""The operator's HTTP port: `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ["serving"]

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serving(
    port: int,
    *,
    metrics: Callable[[], bytes],
    problems: Callable[[], list[str]],
    unready: Callable[[], list[str]],
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port.

    Args:
        port: 0 for any that is free.
        metrics: in Prometheus' text form.
        problems: why the operator should be restarted.
        unready: why it does not work now.

    Raises:
        OSError: the port is taken.
    """

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _METRICS_TYPE})

    def probe(found: Callable[[], list[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(_: web.Request) -> web.Response:
            said = found()
            return web.Response(text="\n".join(said) or "ok", status=503 if said else 200)

        return respond

    application = web.Application()
    application.router.add_get("/metrics", show_metrics)
    application.router.add_get("/healthz", probe(problems))
    application.router.add_get("/readyz", probe(unready))
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, None, port)
        await site.start()
        # Where any port will do, the IPv6 one may be another.
        yield min(runner.addresses, key=len)[1]
    finally:
        await runner.cleanup()
