"""The documented ResourceQuota has room for runs as they are, and refuses none of their pods."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.planning.test_run_pods import ALL, containers, pods

from conftest import REPOSITORY
from vaportrail.crd.quantity import parse_quantity

QUOTA, LIMITS = yaml.safe_load_all((REPOSITORY / "docs/policies/resource-quota.yaml").read_text())
HARD = QUOTA["spec"]["hard"]


def defaulted(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a container's resources as the LimitRange leaves them."""
    [rule] = LIMITS["spec"]["limits"]
    requests, limits = (dict(container["resources"].get(kind, {})) for kind in ("requests", "limits"))
    for name, value in rule["default"].items():
        limits.setdefault(name, value)
    for name, value in rule["defaultRequest"].items():
        requests.setdefault(name, value)
    return {"requests": requests, "limits": limits}


@pytest.mark.parametrize("component", ALL)
def test_every_container_says_what_the_quota_counts(component: str) -> None:
    for container in containers(pods()[component]):
        said = defaulted(container)
        for name in HARD:
            kind, _, resource = name.partition(".")
            if kind in said:
                assert resource in said[kind], f"{container['name']} says no {name}"
        for resource, limit in said["limits"].items():
            assert parse_quantity(said["requests"][resource]) <= parse_quantity(limit)


def test_it_has_room_for_several_runs_at_once() -> None:
    at_once = [pods()[name] for name in ("runner", "head", "worker", "collector")]
    for name, hard in HARD.items():
        kind, _, resource = name.partition(".")
        if kind not in ("requests", "limits"):
            continue
        of_a_run = sum(
            parse_quantity(defaulted(container)[kind][resource])
            for pod in at_once
            for container in containers(pod)
        )
        assert 4 * of_a_run <= parse_quantity(hard), name


def test_it_bounds_how_many_runs_are_kept() -> None:
    assert "count/pipelineruns.vaportrail.dev" in HARD
