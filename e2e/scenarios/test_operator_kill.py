"""The operator may be killed at any moment: a run ends the same, with one RayCluster and one record."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.cluster.cli import Cluster
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.parts import path_of
from e2e.scenarios.installation import operator_pod
from e2e.scenarios.inventory import inventory
from e2e.scenarios.runs import (
    RESOURCE,
    SMALL,
    apply,
    finished,
    pipeline_run,
    record_of,
    record_store,
    script_source,
    wait_for,
)
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

PHASES = ("Pending", "Provisioning", "Running", "Releasing", "Sealing")


def test_an_operator_that_is_killed_in_every_phase_makes_one_cluster_and_one_record(
    kubectl: Kubectl, operator: Kubectl, running: Cluster, bucket_environment: None
) -> None:
    kubectl.create(record_store(), script_source("small", SMALL))
    before = inventory(kubectl)
    run = pipeline_run("killed", script="small", entrypoint="script:lasting", suspend=True)
    with _seen(kubectl, "rayclusters.ray.io") as clusters:
        apply(kubectl, run)
        for phase in PHASES:
            wait_for(kubectl, "killed", phase)
            _kill(operator, running)
            if phase == "Pending":
                kubectl("patch", RESOURCE, "killed", "--type=merge", '--patch={"spec":{"suspend":false}}')
        status = finished(kubectl, "killed")

    assert (status["phase"], status["outcome"]) == ("Succeeded", "SUCCEEDED")
    assert len(clusters) == 1
    record = open_store("s3://runs/scenarios")
    uid = kubectl.json("get", RESOURCE, "killed")["metadata"]["uid"]
    assert [name for name in record.folders("runs/scenario/") if name.endswith(uid[:8])] == [
        status["record"]["uri"].rpartition("/")[2]
    ]
    assert verify(open_store(status["record"]["uri"]), "it").problems == []
    assert record_of(status).facts.counts.loss == "None"
    assert record.entries(f"spool/{uid}/") == []
    assert inventory(kubectl) - before == {"pipelinerun.vaportrail.dev/killed"}


def _kill(operator: Kubectl, running: Cluster) -> None:
    """Kill the operator's process, and its pod: a new one starts at once, without the kubelet's back-off."""
    pod = operator_pod(operator)["metadata"]["name"]
    operator.wait(f"pod/{pod}", "jsonpath={.status.containerStatuses[0].state.running}")
    (container,) = operator.json("get", "pod", pod)["status"]["containerStatuses"]
    running.kill(container["containerID"].removeprefix("containerd://"))
    operator("delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")


@contextmanager
def _seen(kubectl: Kubectl, kind: str) -> Iterator[set[str]]:
    """Give the uids of all objects of a kind that were there at any moment of the block."""
    uids: set[str] = set()
    options = ["--kubeconfig", str(kubectl.kubeconfig), "--namespace", str(kubectl.namespace)]
    with tempfile.TemporaryFile("w+") as printed:
        watch = subprocess.Popen(
            [
                path_of("kubectl"),
                *options,
                "get",
                kind,
                "--watch",
                "--output=jsonpath={.metadata.uid}{'\\n'}",
            ],
            stdout=printed,
        )
        try:
            yield uids
        finally:
            watch.terminate()
            watch.wait()
            printed.seek(0)
            uids |= set(printed.read().split())
