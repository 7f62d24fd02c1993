"""PipelineRuns as the scenarios make them, and what became of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import vaportrail
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.progress import Failed
from e2e.scenarios.bucket import ACCESS_KEY, REGION, SECRET_KEY
from e2e.scenarios.objects import Object, secret
from vaportrail.execution.variables import variables
from vaportrail.record.reading.recorded_run import Run

__all__ = [
    "MNIST",
    "RESOURCE",
    "SMALL",
    "TERMINAL",
    "apply",
    "finished",
    "pipeline_run",
    "record_of",
    "record_store",
    "script_source",
    "status_of",
    "store_environment",
    "wait_for",
]

RESOURCE = "pipelineruns.vaportrail.dev"
MNIST = Path(__file__).parents[2] / "examples" / "mnist" / "pipelinerun.yaml"
ENDPOINT = "http://s3.object-store.svc.cluster.local:8333"
TERMINAL = ("Succeeded", "Failed", "Cancelled")


SMALL = """
import os, time
from vaportrail import log, pipeline, task

@task(cpus=1)
def square(x: int) -> int:
    log.metric("square", x * x)
    print("squared", x)
    return x * x

@pipeline
def main(numbers: list[int] = [1, 2, 3]):
    print("first line of user code", flush=True)
    return [square(x) for x in numbers]

@task
def refuse():
    raise ValueError("as it was asked to")

@pipeline
def failing():
    refuse()

@pipeline
def dying():
    os._exit(7)

@task
def wait(seconds: float) -> None:
    print("waiting", flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)

@pipeline
def endless():
    wait(3600.0)

@pipeline
def lasting(seconds: float = 20.0):
    wait(seconds)

@task(retries=2)
def refuse_at_length():
    raise ValueError("no " * 4000)

@pipeline
def large(tasks: int = 10_000):
    refuse_at_length()
    for number in range(tasks - 1):
        square(number)
"""
"""The module `script`: small pipelines, one for each way to end."""


def record_store() -> Object:
    """Return the Secret with the bucket's keys."""
    return secret("record-store", AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)


def script_source(name: str, code: str) -> Object:
    """Return a ConfigMap with one module, `script`."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"script.py": code},
    }


def pipeline_run(name: str, *, script: str = "", entrypoint: str = "", **spec: Any) -> Object:
    """Return a PipelineRun on the runner's image: one worker of one CPU, its record in the bucket.

    Args:
        name: of the run.
        script: the ConfigMap with the module `script`, as its source.
        entrypoint: the pipeline; by default `script:main`.
        spec: further fields, which replace those given here.
    """
    memory = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    body: Object = {
        "pipeline": "scenario",
        "entrypoint": entrypoint or "script:main",
        "image": "localhost/vaportrail/runner:dev",
        "record": {
            "uri": "s3://runs/scenarios",
            "endpoint": ENDPOINT,
            "region": REGION,
            "secretRef": {"name": "record-store"},
        },
        "ray": {
            "head": {"resources": memory},
            "workers": [
                {
                    "name": "workers",
                    "replicas": 1,
                    "resources": {**memory, "requests": {"cpu": "1", "memory": "1Gi"}},
                }
            ],
        },
        "podDefaults": {"imagePullPolicy": "Never"},
        **spec,
    }
    if script:
        body["source"] = {"configMap": {"name": script}}
    return {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": body,
    }


def apply(kubectl: Kubectl, *objects: Object) -> None:
    """Apply objects in one call, as a user does."""
    kubectl("apply", "--filename", "-", text=yaml.safe_dump_all(objects))


def status_of(kubectl: Kubectl, name: str) -> Object:
    """Return a run's status."""
    status: Object = kubectl.json("get", RESOURCE, name).get("status", {})
    return status


def wait_for(kubectl: Kubectl, name: str, phase: str, *, timeout: float = 120) -> Object:
    """Wait until a run has reached a phase; returns its status. A run that ended before is a failure."""
    return _until(
        kubectl, name, lambda status: status.get("phase") == phase, f"phase {phase}", timeout=timeout
    )


def finished(kubectl: Kubectl, name: str, *, timeout: float = 240) -> Object:
    """Wait until a run has finished, as `kubectl wait` sees it; returns its status."""
    try:
        kubectl.wait(f"{RESOURCE}/{name}", "condition=Finished", timeout=timeout)
    except Failed as error:
        raise Failed(f"{error}\n{json.dumps(status_of(kubectl, name), indent=1)}") from error
    return status_of(kubectl, name)


def _until(
    kubectl: Kubectl, name: str, reached: Callable[[Object], bool], what: str, *, timeout: float
) -> Object:
    deadline = time.monotonic() + timeout
    while not reached(status := status_of(kubectl, name)):
        if status.get("phase") in TERMINAL or time.monotonic() > deadline:
            raise Failed(f"{name} did not reach {what}: {json.dumps(status, indent=1)}")
        time.sleep(0.1)  # the API server is asked: kubectl has no word for "or it ended"
    return status


@contextmanager
def store_environment(endpoint: str) -> Iterator[None]:
    """Give this process the bucket's keys, as a user's shell has them."""
    added = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "NO_PROXY": "*",
    }
    with variables(added):
        yield


def record_of(status: Object) -> Run:
    """Open the record that a run's status names."""
    return vaportrail.open(status["record"]["uri"])
