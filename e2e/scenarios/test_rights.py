"""The operator uses every right that the chart gives it, and is never refused one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from e2e.cluster.cli import Cluster
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.lifecycle import NativeCluster
from e2e.scenarios.installation import NAMESPACE, installed
from e2e.scenarios.rights import Right, requests, rights_of
from e2e.scenarios.runs import RESOURCE, SMALL, apply, pipeline_run, record_store, script_source

ACCOUNT = "vaportrail"
NOT_ASKED_FOR = {
    # Nobody asks for it: an admission plugin, off unless a cluster wants it, looks whether it is there when
    # an object is made whose owner cannot go before it.
    Right("vaportrail.dev", "pipelineruns/finalizers", "update"),
    # Asked for only when something is found in the place of what is made or removed: is it the run's?
    Right("", "pods", "get"),
    # Asked for only when a status was not taken: what stands there now?
    Right("vaportrail.dev", "pipelineruns", "get"),
    Right("", "services", "get"),
    Right("ray.io", "rayclusters", "get"),
    # Of schedules, and none is there.
    Right("vaportrail.dev", "pipelineruns", "create"),
    Right("vaportrail.dev", "pipelineruns", "update"),
    Right("vaportrail.dev", "pipelineschedules", "get"),
    Right("vaportrail.dev", "pipelineschedules/status", "patch"),
    Right("vaportrail.dev", "pipelineschedules/finalizers", "update"),
}
"""Rights that no run needs which nothing happens to, and why they are there."""


def test_a_run_uses_every_right_of_the_operator_and_is_refused_none(
    running: Cluster, administrator: Kubectl, kubectl: Kubectl, bucket_environment: None
) -> None:
    if not isinstance(running, NativeCluster):
        pytest.skip("only the native cluster's API server writes an audit log")
    begun = datetime.now(UTC)
    kubectl.create(record_store(), script_source("small", SMALL))
    with installed(administrator):
        given = rights_of(administrator, NAMESPACE, ACCOUNT)
        apply(kubectl, pipeline_run("short-lived", script="small", ttlSecondsAfterFinished=1))
        kubectl("wait", f"{RESOURCE}/short-lived", "--for=delete", "--timeout=180s")
        # Before the rights are taken from an operator that is still ending.
        asked = requests(running.layout.audit, f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", begun)
    used = {each.right for each in asked if each.right}

    assert [each.uri for each in asked if each.refused] == []
    assert used - given == set()
    assert given - used - NOT_ASKED_FOR == set()
    assert NOT_ASKED_FOR - given == set()
