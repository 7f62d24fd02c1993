"""What the scenarios share: the cluster, brought up once, and a fresh namespace for each of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest

from e2e.cluster.cli import Cluster, cluster
from e2e.cluster.kubectl import Kubectl


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


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, administrator: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own that enforces PodSecurity `restricted`; removed with all it holds."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:40].strip('-')}-{uuid.uuid4().hex[:5]}"
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    administrator.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    yield Kubectl(administrator.kubeconfig, namespace=name)
    administrator("delete", "namespace", name, "--wait=false")
