"""What the chart gives rights to: what the operator needs by its table, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vaportrail_operator.api.rights import rights as operator_rights
from vaportrail_operator.planning.children.table import CHILDREN
from vaportrail_operator.planning.kinds import ENDPOINTS
from vaportrail_operator.runtime.claims import CLAIM

Render = Callable[..., Any]
Rights = set[tuple[str, str, str]]

OPERATOR: Rights = {
    (right.group, resource, verb)
    for right in operator_rights()
    for resource in right.resources
    for verb in right.verbs
}
"""Group, resource and verb of what the operator may do in the namespaces that it serves."""
OWN: Rights = {("coordination.k8s.io", "leases", verb) for verb in ("create", "get", "update")}
"""And in its own."""
READ = ("get", "list", "watch")
VIEWER: Rights = {
    ("vaportrail.dev", f"{name}{part}", verb)
    for name in ("pipelineruns", "pipelineschedules")
    for part in ("", "/status")
    for verb in READ
}
EDITOR: Rights = VIEWER | {
    ("vaportrail.dev", name, verb)
    for name in ("pipelineruns", "pipelineschedules")
    for verb in ("create", "update", "patch", "delete", "deletecollection")
}


def rights(role: dict[str, Any]) -> Rights:
    """Return what a role allows, one right after another."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def given(rendered: Any) -> dict[str, Rights]:
    """Return what the operator's ServiceAccount is given, by namespace; `*` for all of them."""
    roles = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]): rights(each)
        for each in rendered.objects
        if each["kind"] in ("Role", "ClusterRole")
    }
    account = rendered.operator["serviceAccountName"]
    found: dict[str, Rights] = {}
    for binding in (*rendered.of("RoleBinding"), *rendered.of("ClusterRoleBinding")):
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": "vaportrail-system"}
        ]
        namespace = binding["metadata"].get("namespace")
        reference = binding["roleRef"]
        role = roles[reference["kind"], namespace, reference["name"]]
        found[namespace or "*"] = found.get(namespace or "*", set()) | role
    return found


def test_an_operator_for_all_namespaces_may_do_this_and_no_more(render: Render) -> None:
    assert given(render()) == {"*": OPERATOR, "vaportrail-system": OWN}


def test_an_operator_for_some_namespaces_has_its_rights_there_and_nowhere_else(render: Render) -> None:
    rendered = render({"watchNamespaces": ["team-a", "team-b"]})

    assert given(rendered) == {"team-a": OPERATOR, "team-b": OPERATOR, "vaportrail-system": OWN}
    assert rendered.of("ClusterRoleBinding") == []


def test_an_operator_may_serve_its_own_namespace(render: Render) -> None:
    rendered = render({"watchNamespaces": ["vaportrail-system"]})

    assert given(rendered) == {"vaportrail-system": OPERATOR | OWN}


def test_two_leases_are_the_only_ones_that_it_may_touch(render: Render) -> None:
    rendered = render()
    (own,) = rendered.of("Role")
    (everywhere,) = [each for each in rendered.of("ClusterRole") if rights(each) == OPERATOR]
    named = [
        {
            verb: rule.get("resourceNames")
            for rule in role["rules"]
            for verb in rule["verbs"]
            if rule["resources"] == ["leases"]
        }
        for role in (own, everywhere)
    ]

    # What does not exist yet has no name that a rule could say.
    name = rendered.environment["VAPORTRAIL_LEASE"]
    assert named[0] == {"create": None, "get": [name], "update": [name]}
    assert named[1] == {"create": None, "get": [CLAIM], "update": [CLAIM]}


def test_with_namespaces_the_only_cluster_roles_are_the_users(render: Render) -> None:
    limited = render({"watchNamespaces": ["team-a"]})
    names = sorted(each["metadata"]["name"].rpartition("-")[2] for each in limited.of("ClusterRole"))
    assert names == ["editor", "viewer"]

    without = render({"watchNamespaces": ["team-a"], "userRoles": {"create": False}})
    assert without.of("ClusterRole") == []


@pytest.mark.parametrize(
    ("name", "into", "expected"), [("viewer", "view", VIEWER), ("editor", "edit", EDITOR)]
)
def test_users_get_their_rights_through_the_clusters_own_roles(
    render: Render, name: str, into: str, expected: Rights
) -> None:
    (role,) = [each for each in render().of("ClusterRole") if each["metadata"]["name"].endswith(name)]
    aggregated = {key for key in role["metadata"]["labels"] if key.startswith("rbac.")}

    assert rights(role) == expected
    assert aggregated == {f"rbac.authorization.k8s.io/aggregate-to-{into}"}


def test_no_role_has_a_wildcard_or_reads_secrets(render: Render, branch: dict[str, Any]) -> None:
    rendered = render(branch)
    for role in (*rendered.of("Role"), *rendered.of("ClusterRole")):
        for group, resource, verb in rights(role):
            assert "*" not in (group, resource, verb)
            assert not (resource == "secrets" and verb in READ)


def test_a_service_account_of_the_users_own_is_bound_and_not_made(render: Render) -> None:
    rendered = render({"serviceAccount": {"create": False, "name": "mine"}})

    assert rendered.of("ServiceAccount") == []
    assert rendered.operator["serviceAccountName"] == "mine"
    assert set(given(rendered)) == {"*", "vaportrail-system"}


def test_the_operator_may_do_nothing_beyond_its_table() -> None:
    assert {resource for _, resource, _ in OPERATOR} == {
        "pipelineruns",
        "pipelineruns/status",
        "pipelineruns/finalizers",
        "pipelineschedules",
        "pipelineschedules/status",
        "pipelineschedules/finalizers",
        *(ENDPOINTS[child.kind].plural for child in CHILDREN),
        "events",
        "leases",
    }
    assert not {verb for _, _, verb in OPERATOR} & {
        "*",
        "escalate",
        "bind",
        "impersonate",
        "deletecollection",
    }
