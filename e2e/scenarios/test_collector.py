"""A collector acknowledges what is in the bucket and nothing else, also in an outage and while it ends."""

from __future__ import annotations

import select
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.bucket import open_bucket, stored_paths, stored_spans
from e2e.scenarios.clients import Clients
from e2e.scenarios.collector import begin_post, collector, make_span, post
from e2e.scenarios.objects import Object, pod, pod_spec, python, service

STORE, PORT = "s3.object-store.svc.cluster.local", 8333
RELAY = """
import asyncio, sys

async def copy(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    there, back = await asyncio.open_connection(sys.argv[1], 8333)
    await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

async def main():
    async with await asyncio.start_server(serve, "", 8333) as server:
        await server.serve_forever()

asyncio.run(main())
"""
"""The way from the collector to the bucket: without it the bucket is away, and can still be looked into."""


@dataclass
class Bucket:
    """What the collector of a scenario has stored."""

    store: S3Store
    prefix: str

    def spans(self) -> list[dict[str, Any]]:
        return stored_spans(self.store, self.prefix)

    def lacks(self, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of some spans that are not stored as they were sent."""
        there = {span["spanId"]: span for span in self.spans()}
        return [span for span in spans if there.get(span["spanId"]) != span]


@pytest.fixture
def bucket(kubectl: Kubectl, administrator: Kubectl) -> Iterator[Bucket]:
    """Where the collector of this scenario stores; emptied afterwards."""
    address = administrator.json("get", "service", "s3", "--namespace=object-store")["spec"]["clusterIP"]
    store, prefix = open_bucket(f"http://{address}:{PORT}"), f"spool/{kubectl.namespace}"
    yield Bucket(store, prefix)
    obstore.delete(store, stored_paths(store, prefix))


@pytest.fixture
def address(kubectl: Kubectl, bucket: Bucket) -> str:
    """The address of a collector that stores in the bucket."""
    return _start(kubectl, *collector(f"http://{STORE}:{PORT}", bucket.prefix))


@pytest.fixture
def relayed(kubectl: Kubectl, bucket: Bucket) -> str:
    """The address of a collector whose way to the bucket is the pod `relay`; it does not try for long."""
    kubectl.create(service("relay", PORT))
    _open_the_way(kubectl)
    return _start(kubectl, *collector(f"http://relay:{PORT}", bucket.prefix, give_up_after=1))


def test_what_is_acknowledged_is_in_the_bucket_at_that_moment(address: str, bucket: Bucket) -> None:
    sent = [make_span(f"span {number}") for number in range(100)]

    assert post(address, *sent) == HTTPStatus.OK
    assert bucket.lacks(sent) == []


def test_a_post_with_another_token_is_refused_and_not_stored(address: str, bucket: Bucket) -> None:
    assert post(address, make_span("refused"), token="another") == HTTPStatus.UNAUTHORIZED
    assert bucket.spans() == []


def test_nothing_is_acknowledged_while_the_bucket_is_away(
    relayed: str, kubectl: Kubectl, bucket: Bucket
) -> None:
    before = make_span("before")
    assert post(relayed, before) == HTTPStatus.OK
    _close_the_way(kubectl)

    status = post(relayed, make_span("while it is away"))

    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert bucket.spans() == [before]


def test_clients_that_try_again_lose_nothing_over_an_outage(
    relayed: str, kubectl: Kubectl, bucket: Bucket
) -> None:
    with Clients(relayed) as clients:
        clients.wait_until(lambda: len(clients.acknowledged) >= 20)
        _close_the_way(kubectl)
        clients.wait_until(lambda: clients.failures >= clients.count)
        assert bucket.lacks([*clients.acknowledged]) == []
        _open_the_way(kubectl)
        again = len(clients.acknowledged) + 20
        clients.wait_until(lambda: len(clients.acknowledged) >= again)

    assert len(clients.acknowledged) == len(clients.sent)
    assert bucket.lacks(clients.sent) == []


def test_what_is_posted_before_a_collector_is_told_to_end_is_stored_and_acknowledged(
    kubectl: Kubectl, bucket: Bucket
) -> None:
    # It gathers for so long that nothing is answered yet when it is told to end.
    address = _start(kubectl, *collector(f"http://{STORE}:{PORT}", bucket.prefix, gather="3s"))
    sent = [make_span(f"span {number}") for number in range(8)]
    posts = [begin_post(address, span) for span in sent]

    kubectl("delete", "pod", "collector", "--wait=false")

    answered, _, _ = select.select([each.sock for each in posts], [], [], 0)
    assert answered == []
    assert [each.getresponse().status for each in posts] == [HTTPStatus.OK] * len(sent)
    assert bucket.lacks(sent) == []


def _start(kubectl: Kubectl, *objects: Object) -> str:
    kubectl.create(*objects)
    kubectl.wait("pod/collector", "condition=Ready")
    return str(kubectl.json("get", "pod", "collector")["status"]["podIP"])


def _open_the_way(kubectl: Kubectl) -> None:
    probe = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    # A second to end in, which it does not: with none, the pod would be said to be gone before it is.
    relay = python("main", RELAY, STORE, readinessProbe=probe)
    kubectl.create(pod("relay", pod_spec(relay, terminationGracePeriodSeconds=1)))
    kubectl.wait("pod/relay", "condition=Ready")


def _close_the_way(kubectl: Kubectl) -> None:
    kubectl("delete", "pod", "relay")
