"""Beside Kubernetes' own controllers and KubeRay's operator: what only they make, refuse and remove."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from api_server import CRD, ApiServer, api_server
from free_ports import free_ports
from runtime.nodes import nodes
from runtime.operator_process import SYSTEM, Operator, Team, chart_rules, create, grant, until
from runtime.test_real_api_server import LEASE_RULES, operator, ray_crd
from vaportrail_operator.planning.types import COMPONENT_LABEL

__all__ = ["operator"]

pytestmark = pytest.mark.api_server

RUN = "pipelineruns.vaportrail.dev/mnist"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api"), controllers=True) as server:
        server.apply([CRD, *sorted(ray_crd().parent.glob("*.yaml"))])
        metrics, health = free_ports(2)
        server.spawn(
            "kuberay-operator",
            "--enable-leader-election=false",
            f"--metrics-addr=127.0.0.1:{metrics}",
            f"--health-probe-bind-address=127.0.0.1:{health}",
        )
        server.namespace(SYSTEM)
        grant(server, SYSTEM, "lease", [LEASE_RULES])
        yield server


@pytest.fixture
def team(server: ApiServer) -> Team:
    """A namespace of the test's own, as soon as pods can be made in it."""
    team = Team(server, f"team-{random.randrange(10**9)}")
    grant(server, team.name, "operator", chart_rules())
    until(lambda: "serviceaccount/default" in named(server, team, "serviceaccounts"), lambda: "no account")
    return team


def named(server: ApiServer, team: Team, kind: str) -> list[str]:
    return server.kubectl("-n", team.name, "get", *kind.split(), "-o", "name").split()


def test_a_service_account_that_is_made_a_moment_after_the_run_is_waited_for(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    operator.start()
    with nodes(server.kubeconfig, alone=False):
        team.submit("mnist", serviceAccountName="trainer")
        told = 'serviceaccount "trainer" not found'
        until(lambda: told in team.status("mnist").get("message", ""), operator.tail)
        message = team.status("mnist")["message"]
        assert "; fix: make that ServiceAccount, or name another" in message
        server.kubectl("-n", team.name, "create", "serviceaccount", "trainer")
        team.until_over(operator)
    assert team.phases() == {"Succeeded": 1}
    until(lambda: team.left() == [], team.left)


# What `--cascade=orphan` leaves waits for a sweep, ten minutes: runtime/test_deleted_runs.py.
WAYS = {way: ("-n", "{team}", "delete", RUN, f"--cascade={way}") for way in ("background", "foreground")}
WAYS |= {"namespace": ("delete", "namespace", "{team}")}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_deleted_leaves_nothing(
    server: ApiServer, team: Team, operator: Operator, way: str
) -> None:
    operator.start()
    with nodes(server.kubeconfig, run_seconds=600.0, alone=False):
        team.submit("mnist")
        until(lambda: team.status("mnist").get("phase") == "Running", operator.tail)
        assert {each.partition("/")[0] for each in team.left()} == MADE
        server.kubectl(*(word.format(team=team.name) for word in WAYS[way]), "--wait=false")
        until(lambda: is_gone(server, team, way), lambda: [team.left(), operator.tail()])
    assert "Traceback" not in operator.log.read_text()
    assert operator.stop() == 0


MADE = {"pod", "service", "secret", "raycluster.ray.io"}


def is_gone(server: ApiServer, team: Team, way: str) -> bool:
    if way == "namespace":
        return not server.kubectl("get", "namespace", team.name, "--ignore-not-found")
    return not team.left() and not named(server, team, "pipelineruns.vaportrail.dev")


def processors(number: int) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": str(number)}}}


LARGE = {
    "runner": processors(10),
    "ray": {"head": processors(10), "workers": [{"name": "workers", **processors(40)}]},
}
HARD, BLOCKER = "70", "25"
"""Room for one run of 60 and a little, or for two of 20 that have no worker; with the blocker for none."""


def test_of_two_runs_that_starve_each_other_at_a_quota_the_later_gives_way_and_the_first_goes_on(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    about = {"name": "cpu", "namespace": team.name}
    hard = {"hard": {"requests.cpu": HARD}}
    create(server, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": about, "spec": hard})
    until(lambda: counted(server, team) == "0", lambda: counted(server, team))
    block(server, team)
    operator.start()
    with nodes(server.kubeconfig, run_seconds=3600.0, alone=False):
        team.submit("one", "other", **LARGE)
        until(lambda: all(map(waits, runs(server, team))), operator.tail)
        first, second = (name for _, _, name in sorted(map(age, runs(server, team))))
        assert named(server, team, f"pods -l {COMPONENT_LABEL}=worker") == []
        server.kubectl("-n", team.name, "delete", "pod", "blocker", "--wait=false", "--grace-period=0")
        until(lambda: bool(given_up(server, team)), operator.tail, seconds=240)
        until(
            lambda: named(server, team, f"pods -l {COMPONENT_LABEL}=worker") != [], operator.tail, seconds=400
        )
        until(lambda: team.status(first).get("phase") == "Running", operator.tail)
    ((name, told),) = given_up(server, team).items()
    assert name == second
    assert f"quota cpu has no room for both: it gives way to {first}" in told
    assert operator.stop() == 0


def counted(server: ApiServer, team: Team) -> str:
    used = "jsonpath={.status.used.requests\\.cpu}"
    return server.kubectl("-n", team.name, "get", "resourcequota/cpu", "-o", used)


def runs(server: ApiServer, team: Team) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = server.json("-n", team.name, "get", "pipelineruns.vaportrail.dev")["items"]
    return items


def waits(run: dict[str, Any]) -> bool:
    return "exceeded quota: cpu" in run.get("status", {}).get("message", "")


def age(run: dict[str, Any]) -> tuple[str, str, str]:
    metadata = run["metadata"]
    return metadata["creationTimestamp"], metadata["uid"], metadata["name"]


def given_up(server: ApiServer, team: Team) -> dict[str, str]:
    """Return what Events say of runs that were not provisioned: sealers here say that all went well."""
    events = server.json("-n", team.name, "get", "events.events.k8s.io")["items"]
    return {
        each["regarding"]["name"]: each["note"] for each in events if each["reason"] == "ProvisioningFailed"
    }


def block(server: ApiServer, team: Team) -> None:
    """Have another's pod take so much of the quota that no run gets a worker."""
    container = {"name": "it", "image": "example.invalid/it", "resources": {"requests": {"cpu": BLOCKER}}}
    about = {"name": "blocker", "namespace": team.name}
    create(
        server, {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"containers": [container]}}
    )
