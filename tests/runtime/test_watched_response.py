"""What the watching library is given: places and versions; the rest is taken before, whatever it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kopf._cogs.clients.api import iter_jsonlines
from yarl import URL

from vaportrail_operator.runtime.watched_response import PARTIAL, ask_for_less, watched_response

DEEP = "[" * 100_000 + "]" * 100_000
METADATA = {"name": "b", "namespace": "n", "uid": "u", "resourceVersion": "7"}
FULL = {
    **METADATA,
    "annotations": {"kopf.zalando.org/last-handled-configuration": "{"},
    "finalizers": ["kopf.zalando.org/KopfFinalizerMarker"],
    "labels": {"a": "b"},
}
OBJECTS = [
    '{"metadata": {"name": "a"}}',
    f'{{"metadata": {json.dumps(FULL)}, "spec": {DEEP}}}',
    '{"metadata": "c"}',
    '"d"',
]
PARTIALS = [{"name": "a"}, METADATA, {}, {}]


async def _asked(path: str, read: Any, take: Any = lambda _, __: None) -> tuple[Any, list[str]]:
    accepted: list[str] = []

    async def a_list(request: web.Request) -> web.Response:
        accepted.append(request.headers.get("Accept", ""))
        return web.Response(text=f'{{"items": [{", ".join(OBJECTS)}]}}', content_type="application/json")

    async def a_watch(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers.get("Accept", ""))
        response = web.StreamResponse()
        await response.prepare(request)
        lines = [f'{{"type": "ADDED", "object": {each}}}' for each in OBJECTS]
        lines += ['{"type": "ERROR", "object": {"kind": "Status", "code": 410}}', "no JSON"]
        raw = "\n".join(lines).encode() + b"\n"
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
    session = aiohttp.ClientSession(
        response_class=watched_response(take), trace_configs=[ask_for_less()], headers={"Accept": "any"}
    )
    try:
        async with session, session.get(f"http://127.0.0.1:{port}/{path}") as response:
            return await read(response), accepted
    finally:
        await runner.cleanup()


def test_of_a_list_only_places_and_versions_are_handed_on_and_no_more_is_asked_for() -> None:
    found, [accepted] = asyncio.run(_asked("list?limit=100", lambda response: response.json()))
    assert found["items"] == [{"kind": PARTIAL, "metadata": each} for each in PARTIALS]
    assert accepted.startswith("application/json;as=PartialObjectMetadataList;")


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_of_a_watch_all_is_taken_and_only_places_and_versions_are_handed_on(size: int) -> None:
    taken: list[tuple[str, Mapping[str, Any]]] = []

    async def read(response: Any) -> list[Any]:
        return [line async for line in iter_jsonlines(response.content, size)]

    lines, [accepted] = asyncio.run(
        _asked("watch?watch=true", read, lambda url, event: taken.append((URL(url).path, event)))
    )

    assert accepted == "any"
    assert [json.loads(line) for line in lines[:4]] == [
        {"type": "ADDED", "object": {"kind": PARTIAL, "metadata": each}} for each in PARTIALS
    ]
    assert json.loads(lines[4]) == {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    assert lines[5] == b"no JSON"
    assert [path for path, _ in taken] == ["/watch"] * 4
    assert taken[1][1]["object"]["metadata"] == FULL
    assert [event["type"] for _, event in taken] == ["ADDED"] * 4
