"""What a real API server refuses to make of a run: told in its words, and waited for while it may pass."""

from __future__ import annotations

from typing import Any

import pytest

from api_server import ApiServer
from runtime.nodes import nodes
from runtime.operator_process import Operator, Team, create, until
from runtime.test_real_api_server import operator, server, team

__all__ = ["operator", "server", "team"]

pytestmark = pytest.mark.api_server


LEVEL = "pod-security.kubernetes.io/enforce=restricted"
ON_THE_NODE = {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}


def many_groups() -> dict[str, Any]:
    """Return what is small in a run, and more than etcd takes in its RayCluster."""
    groups = [{"name": f"group-{number}"} for number in range(16)]
    variables = [{"name": f"LONG_{number}", "value": "x" * 8000} for number in range(14)]
    return {"ray": {"workers": groups}, "podDefaults": {"env": variables}}


def failure(server: ApiServer, team: Team) -> str:
    """Return what an Event says of a run that was not provisioned: the sealer here is played, and says that
    all went well."""
    events = server.json("-n", team.name, "get", "events.events.k8s.io")["items"]
    return next((each["note"] for each in events if each["reason"] == "ProvisioningFailed"), "")


NEVER = [
    (
        LEVEL,
        {"podDefaults": ON_THE_NODE},
        'runner pod cannot be made: violates PodSecurity "restricted',
        "take",
    ),
    ("", many_groups(), "RayCluster cannot be made: ", "fewer or shorter parameters"),
]


@pytest.mark.parametrize(("label", "spec", "begin", "fix"), NEVER, ids=["PodSecurity", "etcd"])
def test_what_can_never_pass_ends_the_run_at_once(
    server: ApiServer, team: Team, operator: Operator, label: str, spec: dict[str, Any], begin: str, fix: str
) -> None:
    if label:
        server.kubectl("label", "namespace", team.name, label)
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("mnist", **spec)
        team.until_over(operator)
    until(lambda: failure(server, team), operator.tail)
    told = failure(server, team)
    assert f": {begin}" in told
    assert f"; fix: {fix}" in told
    assert team.left() == []


def quota_on_limits(team: Team, server: ApiServer) -> None:
    """Have a quota count limits of CPU; its status is what its controller would write."""
    about = {"name": "limits", "namespace": team.name}
    hard = {"hard": {"limits.cpu": "100"}}
    create(server, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": about, "spec": hard})
    status = '{"status": {"hard": {"limits.cpu": "100"}, "used": {"limits.cpu": "0"}}}'
    words = ("-n", team.name, "patch", "resourcequota", "limits", "--subresource=status", "--type=merge")
    server.kubectl(*words, "--patch", status)


MISSING = [
    (
        {"podDefaults": {"priorityClassName": "urgent-{team}"}},
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "urgent-{team}"},
            "value": 5,
        },
        "no PriorityClass with name",
    ),
    (
        {"podDefaults": {"runtimeClassName": "gvisor-{team}"}},
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": "gvisor-{team}"},
            "handler": "runsc",
        },
        "RuntimeClass ",
    ),
]


@pytest.mark.parametrize(("spec", "missing", "told"), MISSING, ids=lambda each: None)
def test_what_is_made_a_moment_after_the_run_is_waited_for(
    server: ApiServer, team: Team, operator: Operator, spec: Any, missing: Any, told: str
) -> None:
    named = {**missing, "metadata": {"name": missing["metadata"]["name"].format(team=team.name)}}
    pods = {name: value.format(team=team.name) for name, value in spec.get("podDefaults", {}).items()}
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("mnist", **{**spec, **({"podDefaults": pods} if pods else {})})
        until(lambda: told in team.status("mnist").get("message", ""), operator.tail)
        message = team.status("mnist")["message"]
        assert f"; fix: make that {named['kind']}, or name another" in message
        create(server, named)
        team.until_over(operator)
    assert team.phases() == {"Succeeded": 1}
    assert team.left() == []


def test_a_quota_on_limits_names_the_container_that_says_none(
    server: ApiServer, team: Team, operator: Operator
) -> None:
    quota_on_limits(team, server)
    operator.start()
    with nodes(server.kubeconfig):
        team.submit("mnist")
        team.until_over(operator)
    until(lambda: failure(server, team), operator.tail)
    assert "failed quota: limits: must specify limits.cpu" in failure(server, team)
    assert team.left() == []
