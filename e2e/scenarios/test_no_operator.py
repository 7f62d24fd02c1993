"""An operator is uninstalled for good: its runs' pods end by themselves, though KubeRay makes pods again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.installation import installed
from e2e.scenarios.objects import Object
from e2e.scenarios.runs import SMALL, apply, pipeline_run, record_store, script_source, status_of, wait_for

# What an operator would need for a slow run, and twice ten minutes: nothing here shortens it.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

DEADLINES = {"provisioningSeconds": 120, "runSeconds": 60, "drainSeconds": 1, "releaseSeconds": 33}
COMPONENT = "vaportrail.dev/component"
WATCHED_SECONDS = 90.0
"""KubeRay looks at a cluster that is not complete every few seconds."""
MOMENT_SECONDS = 45.0
"""What a pod that is made again may take until its containers have looked at the time, and ended."""


def endless(name: str, *, worker: str) -> Object:
    """Return a run that goes on for an hour, with a worker of so many processors."""
    made = pipeline_run(name, script="small", entrypoint="script:endless", deadlines=DEADLINES)
    resources = {"requests": {"cpu": worker, "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    made["spec"]["ray"]["workers"][0]["resources"] = resources
    return made


def test_no_pod_holds_a_processor_once_the_time_of_its_run_is_over(
    kubectl: Kubectl, administrator: Kubectl, bucket_environment: None
) -> None:
    kubectl.create(record_store(), script_source("small", SMALL))
    with installed(administrator, f"watchNamespaces={{{kubectl.namespace}}}"):
        apply(kubectl, endless("complete", worker="100m"), endless("incomplete", worker="64"))
        wait_for(kubectl, "complete", "Running")
        parts = {"head", "runner", "collector"}
        until(lambda: {part_of(pod) for pod in holding(kubectl, "incomplete")} == parts, kubectl)
    bound = max(
        int(variable["value"])
        for pod in holding(kubectl)
        for container in pod["spec"]["containers"]
        for variable in container.get("env", [])
        if variable["name"] == "VAPORTRAIL_ENDS_AT"
    )
    longest = max(map(deadline, holding(kubectl)))

    sleep_until(bound)
    until(lambda: {part_of(pod) for pod in held_for_long(kubectl)} <= {"collector"}, kubectl)
    sleep_until(longest)
    until(lambda: not held_for_long(kubectl), kubectl)
    watched_until = time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < watched_until:
        assert held_for_long(kubectl) == [], kubectl("get", "pods", "--output=wide")
        time.sleep(1)

    clusters = kubectl.json("get", "rayclusters.ray.io")["items"]
    assert sorted(each["metadata"]["labels"]["vaportrail.dev/run"] for each in clusters) == [
        "complete",
        "incomplete",
    ]
    # Nobody writes what became of them.
    assert status_of(kubectl, "complete")["phase"] == "Running"
    assert status_of(kubectl, "incomplete")["phase"] in ("Provisioning", "Running")


def holding(kubectl: Kubectl, *runs: str) -> list[Object]:
    """Return the pods that have a node's processors; those of some runs, or of all."""
    return [
        pod
        for pod in kubectl.json("get", "pods")["items"]
        if pod["spec"].get("nodeName") and pod["status"]["phase"] in ("Pending", "Running")
        if not runs or pod["metadata"]["labels"]["vaportrail.dev/run"] in runs
    ]


def held_for_long(kubectl: Kubectl) -> list[Object]:
    """Return those of them that are no pod which KubeRay has just made again."""
    now = time.time()
    return [pod for pod in holding(kubectl) if now - created(pod) > MOMENT_SECONDS]


def part_of(pod: Object) -> str:
    part: str = pod["metadata"]["labels"][COMPONENT]
    return part


def created(pod: Object) -> float:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()


def deadline(pod: Object) -> float:
    """Return when the kubelet ends a pod, in seconds since 1970; workers end with their head."""
    started = datetime.fromisoformat(pod["status"]["startTime"]).timestamp()
    return started + float(pod["spec"].get("activeDeadlineSeconds", 0))


def sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.time(), 0.0))


def until(condition: Callable[[], bool], kubectl: Kubectl, seconds: float = 180) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, kubectl("get", "pods", "--output=wide")
        time.sleep(1)
