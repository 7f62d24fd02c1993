"""Objects that the watching library cannot work on are heard of like any other, and are never written to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from vaportrail_operator.acting.kubernetes_client import Access
from vaportrail_operator.observation.fields import Raw
from vaportrail_operator.planning.kinds import ENDPOINTS, Kind
from vaportrail_operator.runtime.kopf_watch import watch

RUNS = ENDPOINTS[Kind.RUN]
GROUP = f"{RUNS.group}/{RUNS.version}"
BEGUN = "7"


def a_run(name: str, version: str = BEGUN, parameters: str = "{}", **metadata: Any) -> str:
    about = {"name": name, "namespace": "team", "uid": f"uid-{name}", "resourceVersion": version, **metadata}
    head = json.dumps({"apiVersion": GROUP, "kind": "PipelineRun", "metadata": about})
    return f'{head[:-1]}, "spec": {{"suspend": true, "parameters": {parameters}}}}}'


def all_of(version: str = BEGUN) -> list[str]:
    deep = "[" * 500 + "]" * 500
    return [
        a_run("plain", version),
        a_run("deep", version, f'{{"p": {deep}}}'),
        a_run("deeper", version, f'{{"p": {deep}, "q": {"[" * 9_000 + "]" * 9_000}}}'),
        a_run("noted", version, annotations={"kopf.zalando.org/last-handled-configuration": "{"}),
        a_run("notes", version, annotations={"kopf.zalando.org/x": "[" * 900}),
        a_run("held", version, finalizers=["vaportrail.dev/kopf", "kopf.zalando.org/KopfFinalizerMarker"]),
        a_run("going", version, finalizers=["vaportrail.dev/kopf"], deletionTimestamp="2026-01-02T03:04:05Z"),
    ]


NAMES = {"plain", "deep", "deeper", "noted", "notes", "held", "going"}


def served(plural: str, kind: str) -> dict[str, Any]:
    verbs = ["get", "list", "watch", "patch"]
    return {
        "resources": [
            {
                "name": plural,
                "singularName": "",
                "namespaced": kind != "Namespace",
                "kind": kind,
                "verbs": verbs,
            }
        ]
    }


class ApiServer:
    """Serves a list, and a watch that tells of each object once more."""

    def __init__(self) -> None:
        self.written: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method != "GET":
            self.written.append(f"{request.method} {request.path}")
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        if request.path.endswith("/pipelineruns"):
            return await (self._watched(request) if "watch" in request.query else self._listed())
        version = {"groupVersion": GROUP, "version": RUNS.version}
        known: dict[str, dict[str, Any]] = {
            f"/apis/{GROUP}": served(RUNS.plural, "PipelineRun"),
            "/apis": {"groups": [{"name": RUNS.group, "versions": [version], "preferredVersion": version}]},
            "/api": {"versions": ["v1"]},
            "/api/v1": served("namespaces", "Namespace"),
        }
        found = known.get(request.path)
        return web.json_response(found or {"kind": "Status", "code": 404}, status=200 if found else 404)

    async def _listed(self) -> web.Response:
        items = ", ".join(all_of())
        text = f'{{"kind": "PipelineRunList", "metadata": {{"resourceVersion": "9"}}, "items": [{items}]}}'
        return web.Response(text=text, content_type="application/json")

    async def _watched(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for text in all_of("10"):
            await response.write(f'{{"type": "MODIFIED", "object": {text}}}\n'.encode())
        await asyncio.Event().wait()
        return response


def test_each_is_heard_of_by_list_and_watch_and_none_is_written_to() -> None:
    listed: dict[str, str] = {}
    said: dict[str, Raw] = {}

    async def watched(address: str) -> None:
        stop = asyncio.Event()

        async def access() -> Access:
            return Access(address, "", None)

        def sink(kind: Kind, raw: Raw, gone: bool) -> None:
            assert (kind, gone) == (Kind.RUN, False)
            metadata = raw["metadata"]
            if "spec" in raw:
                said[metadata["name"]] = raw
            else:
                listed[metadata["name"]] = metadata["resourceVersion"]
            if len(said) == len(listed) == len(NAMES):
                stop.set()

        async with asyncio.timeout(60):
            await watch({Kind.RUN}, (), access, sink, stop=stop, connected=lambda: None)

    async def main() -> list[str]:
        server = ApiServer()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            # It takes a loop for its own, and cancels what is in it.
            await asyncio.to_thread(lambda: asyncio.run(watched(address)))
        finally:
            await runner.cleanup()
        return server.written

    written = asyncio.run(main())
    assert listed == dict.fromkeys(NAMES, BEGUN)
    assert {name: raw["metadata"]["resourceVersion"] for name, raw in said.items()} == dict.fromkeys(
        NAMES, "10"
    )
    assert written == []
