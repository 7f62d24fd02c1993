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
    status = team.status("mnist")
    assert (status["phase"], status["reason"]) in {
        ("Failed", "ProvisioningFailed"),
        ("Failed", "SealFailed"),
    }
    assert "must specify limits.cpu" in status["message"]
    assert team.left() == []
