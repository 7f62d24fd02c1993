"""A cluster with a node: down without a trace, and up again, whatever happened to its processes."""

from __future__ import annotations

import os
import time

import pytest
from figure_log import record_figure

from e2e.cluster.cli import cluster
from e2e.cluster.control_groups import ControlGroups
from e2e.cluster.layout import layout
from e2e.cluster.lifecycle import NativeCluster
from e2e.lifecycle.machine import Machine, differences, kill, machine

COMPONENTS = ("containerd", "kubelet", "kube-proxy")

pytestmark = pytest.mark.skipif(os.environ.get("E2E_CLUSTER") == "kind", reason="kind has its own life")


def test_down_works_where_there_was_no_cluster(before: Machine) -> None:
    cluster().down()

    assert differences(before, machine()) == {}


@pytest.mark.parametrize("name", COMPONENTS)
def test_down_after_a_killed_part_of_the_node_leaves_nothing(before: Machine, name: str) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    kill(chosen.processes.get(name))

    chosen.down()

    assert differences(before, machine()) == {}


@pytest.mark.parametrize("name", COMPONENTS)
def test_up_starts_a_killed_part_of_the_node_again(before: Machine, name: str) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    kill(chosen.processes.get(name))

    chosen.up()

    assert all(chosen.status().values())


def test_up_after_the_loss_of_all_processes_is_a_new_cluster(before: Machine) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    ControlGroups(chosen.layout.name).kill()  # as a reboot does, but for the mounts and the network

    begun = time.monotonic()
    chosen.up()
    record_figure("cluster_up_warm_s", time.monotonic() - begun, "s")

    assert all(chosen.status().values())


def test_down_after_the_loss_of_all_processes_leaves_nothing(before: Machine) -> None:
    chosen = NativeCluster(layout())
    chosen.up()
    ControlGroups(chosen.layout.name).kill()

    chosen.down()

    assert differences(before, machine()) == {}
