"""The whole operator, as a process, against a real API server; pods live by their statuses alone."""

from __future__ import annotations

import base64
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_server import CRD, ApiServer, api_server
from e2e.cluster.parts import PARTS, build
from runtime.nodes import nodes
from runtime.operator_process import SYSTEM, Operator, Team, chart_rules, create, grant, until

LEASE_RULES = {
    "apiGroups": ["coordination.k8s.io"],
    "resources": ["leases"],
    "verbs": ["create", "get", "update"],
}

pytestmark = pytest.mark.api_server

AWAY_SECONDS, STOPPED_SECONDS = 60.0, 30.0
"""How long the disturbances last: longer than a Lease, and than any call is tried again."""


def ray_crd() -> Path:
    kuberay = build(next(part for part in PARTS if part.name == "kuberay"))
    return kuberay / "config" / "crd" / "bases" / "ray.io_rayclusters.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as server:
        server.apply([CRD, ray_crd()])
        server.namespace(SYSTEM)
        grant(server, SYSTEM, "lease", [LEASE_RULES])
        yield server


@pytest.fixture
def team(server: ApiServer) -> Team:
    """A namespace of the test's own, in which the operator has the rights that the chart gives it."""
    team = Team(server, f"team-{random.randrange(10**9)}")
    grant(server, team.name, "operator", chart_rules())
    return team


@pytest.fixture
def operator(server: ApiServer, team: Team, tmp_path: Path) -> Iterator[Operator]:
    """An operator of that namespace, not started yet."""
    operator = Operator(server, tmp_path / "operator.log", **installed(team))
    yield operator
    operator.kill_if_running()


def installed(*teams: Team) -> dict[str, str]:
    """Return the settings of an installation for some namespaces: its Lease is no other test's."""
    names = [team.name for team in teams]
    return {"VAPORTRAIL_WATCH_NAMESPACES": ",".join(names), "VAPORTRAIL_LEASE": names[-1]}


def refused(server: ApiServer, team: Team) -> list[tuple[str, str]]:
    """Return what the operator was refused for want of a right."""
    return [
        (each["verb"], each["requestURI"])
        for each in server.requests()
        if each["user"]["username"] == "operator"
        and team.name in each["requestURI"]
        and each.get("responseStatus", {}).get("code") == 403
    ]


def test_a_run_succeeds_and_leaves_nothing(server: ApiServer, team: Team, operator: Operator) -> None:
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("mnist")
        team.until_over(operator)
    assert team.phases() == {"Succeeded": 1}
    assert team.left() == []
    assert operator.get("healthz") == (200, "ok")
    assert operator.get("readyz") == (200, "ok")
    assert 'vaportrail_runs{phase="Succeeded"} 1.0' in operator.get("metrics")[1]
    assert operator.stop() == 0
    assert operator.complaints() == []
    assert refused(server, team) == []


def test_a_run_whose_pods_are_refused_says_why_and_goes_on_when_they_are_not(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    small = {"type": "Container", "max": {"memory": "1Mi"}}
    about = {"name": "small", "namespace": team.name}
    create(server, {"apiVersion": "v1", "kind": "LimitRange", "metadata": about, "spec": {"limits": [small]}})
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("large")
        until(
            lambda: "cannot be made: maximum memory" in team.status("large").get("message", ""), operator.tail
        )
        assert team.phases() == {"Provisioning": 1}
        server.kubectl("-n", team.name, "delete", "limitrange", "small")
        team.until_over(operator)
    assert team.phases() == {"Succeeded": 1}
    assert "cannot be made" not in team.status("large").get("message", "")
    assert team.left() == []


def test_an_operator_that_is_killed_again_and_again_makes_everything_once(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    chance = random.Random(5)
    clusters, pods = team.births("apis/ray.io/v1/rayclusters"), team.births("api/v1/pods")
    with nodes(server.kubeconfig, run_seconds=2.0):
        operator.start()
        team.submit(*(f"run-{number}" for number in range(8)))
        for _ in range(6):
            time.sleep(chance.uniform(1.2, 3.0))
            operator.kill()
            operator.start()
        team.until_over(operator)
        assert team.phases() == {"Succeeded": 8}
        assert team.left() == []
        assert refused(server, team) == []
        assert sorted(clusters().values()) == [1] * 8
        runners = [count for name, count in pods().items() if name.endswith("-runner")]
        assert runners == [1] * 8


def test_runs_go_on_when_their_api_server_was_away_for_a_minute(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    operator.start()
    with nodes(server.kubeconfig, run_seconds=5.0):
        team.submit("before")
        team.until_over(operator)
        team.submit(*(f"run-{number}" for number in range(4)))
        # Somewhere in the middle of their steps.
        until(lambda: team.left() != [], operator.tail)
        server.stop_api()
        time.sleep(AWAY_SECONDS)
        server.start()
        # The kubelet does: it ended when it could not renew its Lease.
        operator.start_if_ended()
        team.submit("after")
        until(lambda: over(operator, team), operator.tail)
    assert team.phases() == {"Succeeded": 6}
    assert operator.get("healthz") == (200, "ok")
    assert team.left() == []


def test_runs_wait_for_kuberay_and_go_on_when_it_is_there(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    server.kubectl("delete", "-f", str(ray_crd()))
    try:
        operator.start()
        team.submit("early")
        until(lambda: team.status("early").get("reason") == "KubeRayMissing", operator.tail)
        operator.until_ready()
    finally:
        server.apply([ray_crd()])
    with nodes(server.kubeconfig):
        team.until_over(operator)
    assert team.phases() == {"Succeeded": 1}
    assert team.left() == []


def test_a_namespace_that_is_refused_stops_no_other_and_is_served_once_it_is_allowed(
    server: ApiServer, team: Team, tmp_path: Path
) -> None:
    refused = Team(server, f"refused-{random.randrange(10**9)}")
    operator = Operator(server, tmp_path / "operator.log", **installed(refused, team))
    operator.start()
    try:
        with nodes(server.kubeconfig):
            refused.submit("mnist")
            team.submit("mnist")
            team.until_over(operator)
            assert refused.phases() == {"": 1}
            grant(server, refused.name, "operator", chart_rules())
            refused.until_over(operator)
        assert operator.get("healthz") == (200, "ok")
        assert operator.stop() == 0
    finally:
        operator.kill_if_running()


def test_a_run_whose_time_to_live_is_over_is_deleted(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("short", ttlSecondsAfterFinished=0)
        until(lambda: not team.phases(), operator.tail)
    assert operator.complaints() == []


def test_a_run_that_is_deleted_while_it_runs_is_forgotten(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    operator.start()
    with nodes(server.kubeconfig, run_seconds=600.0):
        team.submit("gone")
        until(lambda: team.status("gone").get("phase") == "Running", operator.tail)
        team.delete("gone")
        until(lambda: 'vaportrail_runs{phase="Running"} 0.0' in operator.get("metrics")[1], operator.tail)
    assert operator.stop() == 0


def test_a_second_operator_is_warm_and_takes_over_from_a_first_that_is_told_to_stop(
    server: ApiServer, team: Team, operator: Operator, tmp_path: Path
) -> None:
    operator.start()
    until(operator.leads, operator.tail)
    second = Operator(server, tmp_path / "second.log", **installed(team), VAPORTRAIL_POD_NAME="vaportrail-1")
    second.start()
    try:
        second.until_ready()
        assert not second.leads()
        assert operator.stop() == 0
        until(second.leads, second.tail, seconds=5)
    finally:
        assert second.stop() == 0


def test_an_operator_that_was_stopped_beside_its_standby_ends_and_nothing_is_made_twice(
    server: ApiServer, team: Team, operator: Operator, tmp_path: Path
) -> None:
    clusters, pods = team.births("apis/ray.io/v1/rayclusters"), team.births("api/v1/pods")
    second = Operator(server, tmp_path / "second.log", **installed(team), VAPORTRAIL_POD_NAME="vaportrail-1")
    operator.start()
    until(operator.leads, operator.tail)
    second.start()
    try:
        second.until_ready()
        with nodes(server.kubeconfig, run_seconds=2.0):
            team.submit(*(f"run-{number}" for number in range(8)))
            # Somewhere in the middle of their steps.
            until(lambda: '"created"' in operator.tail(), operator.tail)
            begun = time.monotonic()
            with operator.stopped():
                until(second.leads, second.tail, seconds=60)
                taken_after = time.monotonic() - begun
                print(f"standby_takes_over_s {taken_after:.1f}")
                team.submit("later")
                time.sleep(max(STOPPED_SECONDS - taken_after, 0.0))
            until(lambda: operator.ended() is not None, operator.tail, seconds=30)
            until(lambda: over(second, team), second.tail, seconds=240)
        assert operator.ended() == 1
        assert team.phases() == {"Succeeded": 9}
        assert team.left() == []
        assert sorted(clusters().values()) == [1] * 9
        runners = [count for name, count in pods().items() if name.endswith("-runner")]
        assert runners == [1] * 9
        assert second.stop() == 0
    finally:
        second.kill_if_running()


def over(operator: Operator, team: Team) -> bool:
    """Return whether a team's runs have succeeded; an operator that ended meanwhile begins again."""
    operator.start_if_ended()
    return set(team.phases()) <= {"Succeeded"}


def test_400_runs_behind_a_webhook_that_times_out_do_not_delay_another_tenants_first_pod(
    server: ApiServer, team: Team, tmp_path: Path
) -> None:
    stuck = Team(server, f"stuck-{random.randrange(10**9)}")
    grant(server, stuck.name, "operator", chart_rules())
    operator = Operator(server, tmp_path / "operator.log", **installed(stuck, team))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        create(server, webhook(server, stuck.name, silent.getsockname()[1]))
        try:
            stuck.submit(*(f"run-{number}" for number in range(400)))
            operator.start()
            # As many of its steps as may be wait for the webhook: the first of them was refused.
            until(lambda: "failed calling webhook" in operator.log.read_text(), operator.tail)
            begun = time.monotonic()
            team.submit("mnist")
            until(lambda: any(name.startswith("pod/") for name in team.left()), operator.tail)
            seconds = time.monotonic() - begun
            print(f"first_pod_behind_400_stuck_s {seconds:.1f}")
            assert seconds <= 5.0
            assert operator.get("healthz") == (200, "ok")
        finally:
            operator.kill_if_running()
            server.kubectl("delete", "validatingwebhookconfiguration", stuck.name)
            # An operator of all namespaces would go on with them.
            server.kubectl("-n", stuck.name, "delete", "pipelineruns.vaportrail.dev", "--all", "--wait=false")


def webhook(server: ApiServer, namespace: str, port: int) -> dict[str, Any]:
    """Return an admission webhook for the pods of a namespace, at a port of the loopback."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    config = json.loads(server.kubeconfig.read_text())
    certificate = Path(config["clusters"][0]["cluster"]["certificate-authority"]).read_bytes()
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "pods.example.invalid",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 10,
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/",
                    "caBundle": base64.b64encode(certificate).decode(),
                },
            }
        ],
    }


def test_an_operator_of_all_namespaces_brings_many_runs_to_their_end_in_little_memory(
    server: ApiServer, team: Team, tmp_path: Path
) -> None:
    grant(server, None, "operator", chart_rules())
    everywhere = Operator(server, tmp_path / "operator.log")
    everywhere.start()
    try:
        with nodes(server.kubeconfig, run_seconds=5.0):
            team.submit(*(f"run-{number}" for number in range(40)))
            team.until_over(everywhere, seconds=200)
        assert team.phases() == {"Succeeded": 40}
        assert team.left() == []
        assert everywhere.memory() <= 150.0
        assert everywhere.stop() == 0
    finally:
        everywhere.kill_if_running()
        # Others see what is missing where a right is.
        server.kubectl("delete", "clusterrolebinding/operator", "clusterrole/operator")
