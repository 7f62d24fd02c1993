"""What the watching library reads: whole lists and lines of JSON, whatever is in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kopf._cogs.clients.api import iter_jsonlines

from vaportrail_operator.runtime.tolerant_response import TolerantResponse

DEEP = "[" * 100_000 + "]" * 100_000
LINES = ['{"object": {"metadata": {"name": "a"}}}', f'{{"object": {{"spec": {DEEP}}}}}', '{"object": "b"}']


async def _asked(path: str, read: Any) -> Any:
    async def a_list(_: web.Request) -> web.Response:
        return web.Response(text=f'{{"items": [{", ".join(LINES)}]}}', content_type="application/json")

    async def a_watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        raw = "\n".join(LINES).encode() + b"\n"
        for start in range(0, len(raw), 7_001):
            await response.write(raw[start : start + 7_001])
        return response

    app = web.Application()
    app.router.add_get("/list", a_list)
    app.router.add_get("/watch", a_watch)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with (
            aiohttp.ClientSession(response_class=TolerantResponse) as session,
            session.get(f"http://127.0.0.1:{port}/{path}") as response,
        ):
            return await read(response)
    finally:
        await runner.cleanup()


def test_a_list_with_an_object_that_is_too_deep_is_read() -> None:
    found = asyncio.run(_asked("list", lambda response: response.json()))
    assert found["items"][0] == {"object": {"metadata": {"name": "a"}}}
    assert found["items"][2] == {"object": "b"}


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_a_watch_goes_on_after_an_object_that_is_too_deep(size: int) -> None:
    async def read(response: Any) -> list[Any]:
        return [json.loads(line) async for line in iter_jsonlines(response.content, size)]

    lines = asyncio.run(_asked("watch", read))
    assert [lines[0], lines[2]] == [{"object": {"metadata": {"name": "a"}}}, {"object": "b"}]
    assert list(lines[1]["object"]) == ["spec"]
