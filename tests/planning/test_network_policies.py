"""The documented NetworkPolicies let through what a run's pods need, and nobody else to them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml
from tests.planning.test_run_pods import pods

from conftest import REPOSITORY
from vaportrail.contract.pod_environment import COLLECTOR_PORT
from vaportrail_operator.planning.children.raycluster import GCS_PORT

Pod = dict[str, Any]
POLICIES = list(yaml.safe_load_all((REPOSITORY / "docs/policies/network-policies.yaml").read_text()))
RUN = {name: {"namespace": "ml", "labels": pod["metadata"]["labels"]} for name, pod in pods().items()}
DNS = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
STRANGER = {"namespace": "ml", "labels": {"app": "other"}}
ELSEWHERE = {"namespace": "other", "labels": RUN["head"]["labels"]}
BUCKET, METADATA, NODE = "52.216.1.1", "169.254.169.254", "10.1.2.3"
RAY = ["head", "worker", "runner"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    for rule in selector.get("matchExpressions", []):
        there = (
            rule["key"] in labels
            if rule["operator"] == "Exists"
            else labels.get(rule["key"]) in rule["values"]
        )
        if not there:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: dict[str, Any], other: Pod | str, namespace: str) -> bool:
    if "ipBlock" in peer or isinstance(other, str):
        if "ipBlock" not in peer or not isinstance(other, str):
            return False
        block = peer["ipBlock"]
        outside = any(ip_address(other) in ip_network(each) for each in block.get("except", []))
        return ip_address(other) in ip_network(block["cidr"]) and not outside
    if "namespaceSelector" in peer:
        name = {"kubernetes.io/metadata.name": other["namespace"]}
        there = selects(peer["namespaceSelector"], name)
    else:
        there = other["namespace"] == namespace
    return there and selects(peer.get("podSelector", {}), other["labels"])


def lets(pod: Pod, direction: str, other: Pod | str, port: int, protocol: str = "TCP") -> bool:
    """Return whether the policies of a pod's own namespace let a connection in or out of it."""
    mine = [
        policy["spec"]
        for policy in POLICIES
        if pod["namespace"] == "ml"
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], pod["labels"])
    ]
    return not mine or any(
        _lets(rule, direction, other, port, protocol) for spec in mine for rule in _rules(spec, direction)
    )


def _rules(spec: dict[str, Any], direction: str) -> Iterator[dict[str, Any]]:
    yield from spec.get(direction.lower(), [])


def _lets(rule: dict[str, Any], direction: str, other: Pod | str, port: int, protocol: str) -> bool:
    peers = rule["from" if direction == "Ingress" else "to"]
    ports = rule.get("ports")
    open_port = ports is None or {"protocol": protocol, "port": port} in ports
    return open_port and any(is_peer(peer, other, "ml") for peer in peers)


def connects(source: Pod, target: Pod, port: int) -> bool:
    return lets(source, "Egress", target, port) and lets(target, "Ingress", source, port)


@pytest.mark.parametrize("source", RAY)
@pytest.mark.parametrize("target", RAY)
@pytest.mark.parametrize("port", [GCS_PORT, 6380, 10002, 19999, 49152])
def test_rays_pods_reach_each_other_on_any_port(source: str, target: str, port: int) -> None:
    assert connects(RUN[source], RUN[target], port)


@pytest.mark.parametrize("source", RAY)
def test_shippers_reach_the_collector_on_its_port_only(source: str) -> None:
    assert connects(RUN[source], RUN["collector"], COLLECTOR_PORT)
    assert not connects(RUN[source], RUN["collector"], 8888)


@pytest.mark.parametrize("component", ["worker", "runner", "collector", "sealer"])
def test_who_reads_or_writes_the_store_reaches_it(component: str) -> None:
    assert lets(RUN[component], "Egress", BUCKET, 443)
    assert not lets(RUN[component], "Egress", METADATA, 443)
    assert not lets(RUN[component], "Egress", NODE, 443)


def test_the_head_reaches_no_store() -> None:
    assert not lets(RUN["head"], "Egress", BUCKET, 443)


@pytest.mark.parametrize("component", RUN)
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_every_pod_asks_for_names(component: str, protocol: str) -> None:
    assert lets(RUN[component], "Egress", DNS, 53, protocol)
    assert not lets(RUN[component], "Egress", STRANGER, 53, protocol)


@pytest.mark.parametrize("component", RUN)
@pytest.mark.parametrize("stranger", [STRANGER, ELSEWHERE], ids=["same namespace", "another namespace"])
@pytest.mark.parametrize("port", [COLLECTOR_PORT, GCS_PORT, 8080, 10001, 52365])
def test_nobody_else_reaches_a_pod_of_a_run(component: str, stranger: Pod, port: int) -> None:
    assert not lets(RUN[component], "Ingress", stranger, port)


def test_a_sealer_takes_no_connection_from_anybody() -> None:
    assert not [name for name in RUN if lets(RUN["sealer"], "Ingress", RUN[name], 443)]


def test_pods_of_others_are_left_alone() -> None:
    assert lets(STRANGER, "Egress", BUCKET, 80)
    assert lets(STRANGER, "Ingress", ELSEWHERE, 80)
