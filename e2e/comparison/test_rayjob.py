"""A PipelineRun against a RayJob: the same Ray work, the same images, the same cluster, in turn.

What is measured is what a user waits for: from `kubectl apply` to the first line of the entrypoint,
and from `kubectl apply` until the last pod has stopped running. The RayJob removes its cluster
(`shutdownAfterJobFinishes`); the PipelineRun leaves a sealed record as well, whose making counts.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest
from figure_log import record_figure

from e2e.cluster.kubectl import Kubectl
from e2e.comparison.pods import PodWatch
from e2e.scenarios.objects import Object, pod_spec, ray_cluster, ray_container
from e2e.scenarios.runs import apply, finished, pipeline_run, record_of, record_store, script_source

PAIRS = 10
PIPELINE = """
import time
from vaportrail import log, pipeline, task

@task(cpus=1)
def square(x: int) -> int:
    return x * x

@pipeline
def main():
    begun = time.time()
    log.param("first line", begun)
    for each in [square(x) for x in range(10)]:
        pass
"""
JOB = """
import time
print("first line", time.time(), flush=True)
import ray

ray.init()

@ray.remote(num_cpus=1)
def square(x):
    return x * x

ray.get([square.remote(x) for x in range(10)])
"""


@dataclass(frozen=True)
class Times:
    """Seconds since `kubectl apply`."""

    user_code: float
    nothing_left: float


@pytest.fixture(scope="module")
def team(shared_kubectl: Kubectl, operator: Kubectl, bucket_environment: None) -> Kubectl:
    """kubectl in a namespace with both scripts, under an operator for the whole cluster."""
    job = {**script_source("job", JOB), "data": {"job.py": JOB}}
    shared_kubectl.create(record_store(), script_source("pipeline", PIPELINE), job)
    return shared_kubectl


@pytest.mark.timeout(3000)
def test_user_code_starts_sooner_and_less_time_is_spent_than_with_a_rayjob(team: Kubectl) -> None:
    ours: list[Times] = []
    theirs: list[Times] = []
    stretches: dict[str, list[float]] = {}
    for number in range(PAIRS):
        # In turn which comes first, so that neither always finds the warmer machine.
        for kind in ("run", "job") if number % 2 else ("job", "run"):
            if kind == "run":
                times, timeline = _pipeline_run(team, f"run-{number}")
                ours.append(times)
                for name, seconds in timeline.items():
                    stretches.setdefault(name, []).append(seconds)
            else:
                theirs.append(_ray_job(team, f"job-{number}"))
        print(f"pair {number + 1}: PipelineRun {ours[-1]}, RayJob {theirs[-1]}", flush=True)
    print("where the time goes, medians of the runs' own timelines:")
    for name, found in stretches.items():
        print(f"  {name:20} {statistics.median(found):6.2f} s")
    first = [statistics.median(each.user_code for each in side) for side in (ours, theirs)]
    last = [statistics.median(each.nothing_left for each in side) for side in (ours, theirs)]
    record_figure("apply_to_user_code", first[0], "s", baseline=first[1])
    record_figure("apply_to_nothing_left", last[0], "s", baseline=last[1])

    assert first[0] / first[1] <= 0.75
    assert last[0] / last[1] <= 0.9


def _pipeline_run(kubectl: Kubectl, name: str) -> tuple[Times, dict[str, float]]:
    with PodWatch(kubectl) as pods:
        begun = time.time()
        apply(kubectl, pipeline_run(name, script="pipeline", ray=_ray()))
        status = finished(kubectl, name)
        end = pods.wait_until_none_runs(60)
    run = record_of(status)
    assert status["phase"] == "Succeeded", status
    (param,) = run.facts.params
    timeline = {key: _seconds(value) for key, value in status["timeline"].items()}
    return Times(round(param.value - begun, 2), round(end - begun, 2)), timeline


def _ray_job(kubectl: Kubectl, name: str) -> Times:
    with PodWatch(kubectl) as pods:
        begun = time.time()
        apply(kubectl, _job(name))
        kubectl.wait(f"rayjob/{name}", "jsonpath={.status.jobDeploymentStatus}=Complete", timeout=180)
        selector = "--selector=ray.io/node-type"
        kubectl("wait", "pods", selector, "--for=delete", "--timeout=120s")
        end = pods.wait_until_none_runs(60)
    printed = kubectl("logs", f"--selector=job-name={name}", "--tail=-1").splitlines()
    assert kubectl.json("get", "rayjob", name)["status"]["jobStatus"] == "SUCCEEDED"
    (line,) = [each for each in printed if "first line" in each]
    kubectl("delete", "rayjob", name)
    return Times(round(float(line.split()[-1]) - begun, 2), round(end - begun, 2))


def _ray() -> Object:
    """Return the same cluster for a PipelineRun as `ray_cluster` has."""
    memory = {"memory": "2Gi"}
    resources = {"requests": {"cpu": "100m", **memory}, "limits": memory}
    return {
        "version": version("ray"),
        "head": {"resources": resources},
        "workers": [{"name": "workers", "replicas": 1, "resources": resources}],
    }


def _job(name: str) -> Object:
    cluster: Any = ray_cluster(name)["spec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    head["volumes"] = [*head["volumes"], {"name": "job", "configMap": {"name": "job"}}]
    mounts = head["containers"][0]["volumeMounts"]
    head["containers"][0]["volumeMounts"] = [*mounts, {"name": "job", "mountPath": "/job"}]
    submitter = pod_spec(ray_container("ray-job-submitter", memory="512Mi"), restartPolicy="Never")
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "python3 /job/job.py",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 0,
            "rayClusterSpec": cluster,
            "submitterPodTemplate": {"spec": submitter},
        },
    }


def _seconds(interval: str) -> float:
    start, _, end = interval.partition("/")
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
