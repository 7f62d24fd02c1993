"""A control plane alone: up in seconds, again after any loss, and down without a trace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from figure_log import record_figure

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.layout import layout
from e2e.cluster.lifecycle import NativeCluster
from e2e.lifecycle.machine import Machine, differences, kill, machine

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kuberay-operator",
    "kwok",
)

pytestmark = pytest.mark.skipif(os.environ.get("E2E_CLUSTER") == "kind", reason="kind has its own life")


@pytest.fixture(scope="module")
def standing(before: Machine) -> Iterator[None]:
    """Down once the last test here has ended."""
    yield
    NativeCluster(layout(control_plane=True)).down()


@pytest.fixture
def control_plane(standing: None) -> NativeCluster:
    """A control plane that is up, with every component."""
    chosen = NativeCluster(layout(control_plane=True))
    chosen.up()
    return chosen


def test_a_control_plane_is_up_in_seconds_and_leaves_nothing(before: Machine) -> None:
    chosen = NativeCluster(layout(control_plane=True))
    chosen.down()
    begun = time.monotonic()
    chosen.up()
    record_figure("controlplane_up_s", time.monotonic() - begun, "s")
    assert all(chosen.status().values())

    chosen.down()

    assert differences(before, machine()) == {}


def test_up_twice_is_up_once(control_plane: NativeCluster) -> None:
    first = control_plane.processes.all()

    control_plane.up()

    assert set(control_plane.processes.all()) == set(first)


def test_down_twice_is_down_once(before: Machine, control_plane: NativeCluster) -> None:
    control_plane.down()
    control_plane.down()

    assert differences(before, machine()) == {}


@pytest.mark.parametrize("name", COMPONENTS)
def test_up_starts_a_killed_component_again(control_plane: NativeCluster, name: str) -> None:
    kill(control_plane.processes.get(name))

    control_plane.up()

    assert control_plane.status()[name]


@pytest.mark.parametrize("name", COMPONENTS)
def test_down_after_a_killed_component_leaves_nothing(
    before: Machine, control_plane: NativeCluster, name: str
) -> None:
    kill(control_plane.processes.get(name))

    control_plane.down()

    assert differences(before, machine()) == {}


def test_a_raycluster_becomes_ready_on_nodes_that_kwok_plays(control_plane: NativeCluster) -> None:
    kubectl = Kubectl(control_plane.kubeconfig(), namespace="default")
    pod = {"spec": {"containers": [{"name": "ray", "image": "none"}]}}
    kubectl.create(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {"name": "played"},
            "spec": {
                "headGroupSpec": {"rayStartParams": {}, "template": pod},
                "workerGroupSpecs": [
                    {"groupName": "w", "replicas": 2, "minReplicas": 2, "maxReplicas": 2, "template": pod}
                ],
            },
        }
    )

    try:
        kubectl.wait("raycluster/played", "jsonpath={.status.state}=ready")
    finally:
        kubectl("delete", "raycluster", "played")
