"""Up and down, whatever happened in between; and after down this machine is as it was before."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from figure_log import record_figure

from e2e.cluster.cli import cluster
from e2e.cluster.control_groups import ControlGroups
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.layout import layout
from e2e.cluster.lifecycle import NativeCluster
from e2e.cluster.processes import Started

CONTROL_PLANE = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kuberay-operator",
    "kwok",
)
NODE = ("containerd", "kubelet", "kube-proxy")

pytestmark = pytest.mark.skipif(os.environ.get("E2E_CLUSTER") == "kind", reason="kind has its own life")


def machine() -> dict[str, list[str]]:
    """Return what a cluster could leave on this machine, by kind."""
    interfaces = json.loads(_told("ip", "-json", "link", "show"))
    chains = [line for line in _told("iptables-save").splitlines() if line.startswith((":", "-A"))]
    ours = layout().state.parent
    return {
        "processes": sorted(_commands()),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "interfaces": sorted(each["ifname"] for each in interfaces),
        "routes": sorted(_told("ip", "-4", "route", "show", "table", "all").splitlines()),
        "iptables": sorted(chain.split("[")[0] for chain in chains),
        "control groups": sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("*vt-e2e*")),
        "forwarding": [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
        "files": sorted(str(path) for path in ours.glob("*/*") if path.name != "logs"),
    }


def _told(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _commands() -> Iterator[str]:
    """Yield the programs of this machine that a cluster consists of."""
    programs = {
        *CONTROL_PLANE,
        *NODE,
        "containerd-shim",
        "runc",
        "pause",
        "weed",
        "otelcol",
        "coredns",
        "raylet",
    }
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        name = Path(os.fsdecode(words[0])).name
        if any(name.startswith(program) for program in programs):
            yield f"{folder.name} {name}"


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what is there now and was not before, by kind."""
    found = {kind: sorted(set(after[kind]) - set(before[kind])) for kind in before}
    return {kind: new for kind, new in found.items() if new}


def started(chosen: NativeCluster, name: str) -> Started:
    return next(each for each in chosen.processes.all() if each.name == name)


def kill(one: Started) -> None:
    """End a process at once; returns when it is gone."""
    watched = os.pidfd_open(one.pid)
    os.kill(one.pid, signal.SIGKILL)
    select.select([watched], [], [])  # readable once it has ended
    os.close(watched)


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    """This machine with no cluster on it."""
    cluster().down()
    cluster(control_plane=True).down()
    return machine()


@pytest.fixture(scope="module")
def standing(before: dict[str, list[str]]) -> Iterator[None]:
    """Down once the last test here has ended."""
    yield
    NativeCluster(layout(control_plane=True)).down()


@pytest.fixture
def control_plane(standing: None) -> NativeCluster:
    """A control plane that is up, with every component."""
    chosen = NativeCluster(layout(control_plane=True))
    chosen.up()
    return chosen


def test_a_control_plane_is_up_in_seconds_and_leaves_nothing(before: dict[str, list[str]]) -> None:
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


def test_down_twice_is_down_once(before: dict[str, list[str]], control_plane: NativeCluster) -> None:
    control_plane.down()
    control_plane.down()

    assert differences(before, machine()) == {}


def test_down_works_where_there_was_no_cluster(before: dict[str, list[str]]) -> None:
    cluster().down()

    assert differences(before, machine()) == {}


@pytest.mark.parametrize("name", CONTROL_PLANE)
def test_up_starts_a_killed_component_again(control_plane: NativeCluster, name: str) -> None:
    kill(started(control_plane, name))

    control_plane.up()

    assert control_plane.status()[name]


@pytest.mark.parametrize("name", CONTROL_PLANE)
def test_down_after_a_killed_component_leaves_nothing(
    before: dict[str, list[str]], control_plane: NativeCluster, name: str
) -> None:
    kill(started(control_plane, name))

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


@pytest.mark.parametrize("name", NODE)
def test_down_after_a_killed_part_of_the_node_leaves_nothing(before: dict[str, list[str]], name: str) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    kill(started(chosen, name))

    chosen.down()

    assert differences(before, machine()) == {}


def test_up_after_the_loss_of_all_processes_is_a_new_cluster(before: dict[str, list[str]]) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    ControlGroups(chosen.layout.name).kill()  # as a reboot does, but for the mounts and the network

    begun = time.monotonic()
    chosen.up()
    record_figure("cluster_up_warm_s", time.monotonic() - begun, "s")

    assert all(chosen.status().values())


def test_down_after_the_loss_of_all_processes_leaves_nothing(before: dict[str, list[str]]) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    ControlGroups(chosen.layout.name).kill()

    chosen.down()

    assert differences(before, machine()) == {}
