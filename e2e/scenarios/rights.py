"""What the operator asks of the API server, by the audit log, and what its roles let it ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.objects import Object

__all__ = ["Request", "Right", "requests", "rights_of"]


class Right(NamedTuple):
    """A verb on a resource, such as `patch` on `pipelineruns/status` of `vaportrail.dev`."""

    group: str
    resource: str
    verb: str


@dataclass(frozen=True)
class Request:
    """Something that was asked of the API server.

    Attributes:
        right: that it takes; None for what is no resource, such as `/apis`.
        uri: its path and query.
        refused: whether a right to it was missing.
    """

    right: Right | None
    uri: str
    refused: bool


def requests(log: Path, user: str, since: datetime) -> list[Request]:
    """Return what a user has asked since a moment, as the audit log says.

    Args:
        log: the API server's; what was rotated out of it lies beside it.
        user: such as `system:serviceaccount:<namespace>:<name>`.
        since: by this machine's clock.
    """
    files = sorted(log.parent.glob(f"{log.stem}*{log.suffix}"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [
        Request(
            right=_right(line),
            uri=line["requestURI"],
            # 403 is also the answer to what makes an object in a namespace that is being deleted.
            refused=line.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid",
        )
        for line in lines
        if line["user"]["username"] == user
        and datetime.fromisoformat(line["requestReceivedTimestamp"]) >= since
    ]


def _right(line: Object) -> Right | None:
    about: Object = line.get("objectRef") or {}
    if not about:
        return None
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    return Right(about.get("apiGroup", ""), resource, line["verb"])


def rights_of(administrator: Kubectl, namespace: str, name: str) -> set[Right]:
    """Return what the roles that a ServiceAccount is bound to let it do, here or there."""
    kinds = "clusterroles,roles,clusterrolebindings,rolebindings"
    found = administrator.json("get", kinds, "--all-namespaces")["items"]
    roles = {_place(each["kind"], each): each for each in found if "rules" in each}
    return {
        right
        for binding in found
        if _binds(binding, namespace, name)
        for right in _given(roles[_place(binding["roleRef"]["kind"], binding)])
    }


def _place(kind: str, each: Object) -> tuple[str, str, str]:
    """Return where a role, or the role that is bound by a binding, is."""
    metadata: Object = each["metadata"]
    named: Object = each.get("roleRef") or metadata
    return kind, "" if kind == "ClusterRole" else metadata["namespace"], named["name"]


def _binds(binding: Object, namespace: str, name: str) -> bool:
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return account in (binding.get("subjects") or [])


def _given(role: Object) -> Iterator[Right]:
    for rule in role["rules"] or []:
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                for verb in rule["verbs"]:
                    yield Right(group, resource, verb)
