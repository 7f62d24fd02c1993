"""What the scenarios share: the cluster, brought up once, and a fresh namespace for each of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from e2e.cluster.cli import Cluster, cluster
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.progress import Failed
from e2e.scenarios.bucket import open_bucket
from e2e.scenarios.installation import installed
from e2e.scenarios.runs import store_environment

_USED = pytest.StashKey[Kubectl]()
"""The kubectl of a scenario, or of a file."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure what its namespace held: that is gone afterwards."""
    report = yield
    if report.failed:
        used = [node.stash[_USED] for node in item.listchain() if _USED in node.stash]
        report.sections += [section for kubectl in used for section in _seen(kubectl)]
    return report


def _seen(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    def told(*words: str) -> str:
        try:
            return kubectl(*words)
        except Failed as error:
            return str(error)

    yield "pods", told("get", "pods", "--output=wide")
    yield "events", told("events")
    for name in told("get", "pods", "--output=name").split():
        yield f"log of {name}", told("logs", name, "--all-containers", "--prefix", "--tail=40")


@pytest.fixture(scope="session")
def running() -> Cluster:
    """The cluster, up; it is left up, so that the next call of a scenario is quick."""
    chosen = cluster()
    chosen.up()
    return chosen


@pytest.fixture(scope="session")
def administrator(running: Cluster) -> Kubectl:
    """kubectl for what is in no namespace, or in the cluster's own."""
    return Kubectl(running.kubeconfig())


@pytest.fixture(scope="module")
def operator(administrator: Kubectl) -> Iterator[Kubectl]:
    """The operator for the whole cluster, while a file's scenarios run; kubectl for its namespace."""
    with installed(administrator) as namespace:
        yield namespace


@pytest.fixture(scope="session")
def bucket_environment(administrator: Kubectl) -> Iterator[None]:
    """The bucket for records, and its keys in this process's environment."""
    address = administrator.json("get", "service", "s3", "--namespace=object-store")["spec"]["clusterIP"]
    endpoint = f"http://{address}:8333"
    open_bucket(endpoint)
    with store_environment(endpoint):
        yield


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, administrator: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own that enforces PodSecurity `restricted`; removed with all it holds."""
    with _namespace(administrator, request.node.name) as own:
        request.node.stash[_USED] = own
        yield own


@pytest.fixture(scope="module")
def shared_kubectl(request: pytest.FixtureRequest, administrator: Kubectl) -> Iterator[Kubectl]:
    """The same for all scenarios of a file, for what takes long to create and is only looked at."""
    with _namespace(administrator, request.node.name.rpartition("/")[2].removesuffix(".py")) as own:
        request.node.stash[_USED] = own
        yield own


@contextmanager
def _namespace(administrator: Kubectl, purpose: str) -> Iterator[Kubectl]:
    words = re.sub(r"[^a-z0-9]+", "-", purpose.removeprefix("test_").lower())
    name = f"{words[:40].strip('-')}-{uuid.uuid4().hex[:5]}"
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    administrator.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    try:
        yield Kubectl(administrator.kubeconfig, namespace=name)
    finally:
        administrator("delete", "namespace", name, "--wait=false")
