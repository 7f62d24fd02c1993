"""Addresses of IPv6: what listens is reached on `::1`, and what is called may lie there."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.aio.client import Configuration

from vaportrail.cluster.join import Join
from vaportrail.cluster.readiness import listening
from vaportrail.shipper.otlp_http import HttpCollector
from vaportrail.shipper.shipper import Reply
from vaportrail.storage.store import open_store
from vaportrail_operator.acting.endpoints import RUNS
from vaportrail_operator.acting.kubernetes_client import KubernetesClient
from vaportrail_operator.runtime.server import serving

HOST = "::1"


def has_ipv6() -> bool:
    try:
        with socket.create_server((HOST, 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def answering(body: bytes = b"") -> Iterator[tuple[int, list[str]]]:
    """Serve on `::1` alone; yield the port, and the verbs and paths of all requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, *_args: object) -> None:
            return

    with Server((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_a_runner_that_is_ready_is_reached_by_either_family(host: str) -> None:
    with listening(0) as port:
        socket.create_connection((host, port), timeout=30).close()


@pytest.mark.parametrize("host", [HOST, "[::1]"])
def test_a_ray_head_may_have_such_an_address_with_brackets_or_without(tmp_path: Path, host: str) -> None:
    with socket.create_server((HOST, 0), family=socket.AF_INET6) as head:
        port = head.getsockname()[1]
        join = Join(host, port, 0, tmp_path)
        assert join.address == f"[::1]:{port}"
        assert join.responds()


def test_a_shipper_posts_to_a_collector_with_such_an_address() -> None:
    with answering(b"{}") as (port, asked):
        collector = HttpCollector(f"http://[{HOST}]:{port}", "token", 30)
        try:
            answers = collector.post({"L": b"{}"}, lambda: 30.0)
        finally:
            collector.close()
    assert asked == ["POST /v1/logs"]
    assert answers["L"].reply is Reply.STORED


def test_a_store_may_have_such_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as (port, asked):
        settings = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        for name, value in {**settings, "AWS_ENDPOINT_URL": f"http://[{HOST}]:{port}"}.items():
            monkeypatch.setenv(name, value)
        assert open_store("s3://bucket/prefix").create("a", b"x")
    assert asked == ["PUT /bucket/prefix/a"]


def test_an_api_server_may_have_such_an_address() -> None:
    async def main(port: int) -> Any:
        client = KubernetesClient(Configuration(host=f"http://[{HOST}]:{port}"))
        try:
            return await client.get(RUNS, "team", "mnist")
        finally:
            await client.close()

    with answering(b'{"kind": "PipelineRun"}') as (port, asked):
        assert asyncio.run(main(port)) == {"kind": "PipelineRun"}
    assert asked == [f"GET {RUNS.path('team', 'mnist')}"]


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_the_operators_probes_are_answered_on_either_family(host: str) -> None:
    async def main() -> int:
        with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as free:
            port = free.getsockname()[1]
        async with (
            serving(port, metrics=lambda: b"", problems=list, unready=list),
            aiohttp.ClientSession() as session,
            session.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz") as reply,
        ):
            return reply.status

    assert asyncio.run(main()) == 200
