"""What the cluster's components are started with."""

from __future__ import annotations

import json
import re
import tomllib
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from e2e.cluster.components import Component, components
from e2e.cluster.configuration import configuration_files
from e2e.cluster.layout import Layout, layout
from e2e.cluster.workload import MANIFESTS
from e2e.scenarios.installation import NAMESPACE

BOTH = pytest.mark.parametrize("control_plane", [False, True], ids=["cluster", "control plane"])


def started(chosen: Layout) -> list[Component]:
    return components(chosen, lambda name: Path("/parts") / name)


def test_a_control_plane_has_no_node() -> None:
    names = [each.name for each in started(layout(control_plane=True))]

    assert names == [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kuberay-operator",
        "kwok",
    ]


def test_a_cluster_has_a_node_and_runs_kuberay_as_a_pod() -> None:
    names = {each.name for each in started(layout())}

    assert {"containerd", "kubelet", "kube-proxy"} <= names
    assert not {"kuberay-operator", "kwok"} & names


@BOTH
def test_what_asks_the_api_server_starts_when_it_is_ready(control_plane: bool) -> None:
    early = {each.name for each in started(layout(control_plane=control_plane)) if each.stage == 0}

    assert early <= {"etcd", "kube-apiserver", "containerd"}


@BOTH
def test_names_differ_so_that_each_has_its_own_log(control_plane: bool) -> None:
    names = [each.name for each in started(layout(control_plane=control_plane))]

    assert len(set(names)) == len(names)


@BOTH
def test_probes_ask_the_cluster_s_own_address(control_plane: bool) -> None:
    chosen = layout(control_plane=control_plane)

    for each in started(chosen):
        assert each.probe is None or f"://{chosen.node_address}:" in each.probe.url


def test_the_two_kinds_share_no_address_and_no_name() -> None:
    one, other = layout(), layout(control_plane=True)

    for mine in (one.link, one.pods, one.services):
        assert not any(mine.overlaps(yours) for yours in (other.link, other.pods, other.services))
    assert one.name != other.name
    assert one.state != other.state


@BOTH
def test_the_api_server_hands_out_the_addresses_that_the_layout_tells(control_plane: bool) -> None:
    chosen = layout(control_plane=control_plane)
    (command,) = (each.command for each in started(chosen) if each.name == "kube-apiserver")

    assert f"--service-cluster-ip-range={chosen.services}" in command
    assert f"--advertise-address={chosen.node_address}" in command


def test_the_dns_service_of_the_manifest_is_the_one_that_the_kubelet_tells() -> None:
    manifest = (MANIFESTS / "dns.yaml").read_text()
    address = re.search(r"clusterIP: (\S+)", manifest)

    assert address
    assert configuration_files(layout())["kubelet.yaml"]["clusterDNS"] == [address[1]]


def test_every_fixed_service_address_is_one_of_the_cluster() -> None:
    manifests = MANIFESTS.glob("*.yaml")
    addresses = [found for file in manifests for found in re.findall(r"clusterIP: (\S+)", file.read_text())]

    assert len(addresses) == 2
    assert all(IPv4Address(address) in layout().services for address in addresses)


@BOTH
def test_the_api_server_is_told_what_to_write_down_of_the_operator(control_plane: bool) -> None:
    chosen = layout(control_plane=control_plane)
    (command,) = (each.command for each in started(chosen) if each.name == "kube-apiserver")
    policy = configuration_files(chosen)["audit.yaml"]

    assert f"--audit-policy-file={chosen.configuration / 'audit.yaml'}" in command
    assert chosen.audit.is_relative_to(chosen.state)
    assert [rule["level"] for rule in policy["rules"]] == ["Metadata", "None"]
    assert policy["rules"][0]["userGroups"] == [f"system:serviceaccounts:{NAMESPACE}"]


def test_configuration_can_be_written() -> None:
    files = configuration_files(layout())

    node = {"containerd.toml", "cni/10-e2e.conflist", "kubelet.yaml", "kube-proxy.yaml"}
    assert set(files) == {"audit.yaml", *node}
    assert tomllib.loads(files.pop("containerd.toml"))["version"] == 2
    assert json.loads(json.dumps(files)) == files


def test_pods_are_below_the_cluster_s_own_control_group() -> None:
    chosen = layout()

    assert configuration_files(chosen)["kubelet.yaml"]["cgroupRoot"] == f"/{chosen.name}"


def test_state_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("E2E_STATE", str(tmp_path))

    assert layout().state.parent == layout(control_plane=True).state.parent == tmp_path
