"""What is around the operator in a cluster, as far as objects show it: nodes, KubeRay, garbage collection.

Pods start, get ready and end by their statuses alone; nothing runs. A runner gets ready once its run's Ray
head is there, as one that joins it does. A pod that is being deleted goes, as with any kubelet: the API
server alone keeps one whose deletion was cut off with the client that had asked for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from vaportrail_operator.acting.client import ApiError
from vaportrail_operator.acting.endpoints import PODS, RAY_CLUSTERS, SERVICES
from vaportrail_operator.acting.kubernetes_client import KubernetesClient
from vaportrail_operator.planning.types import COMPONENT_LABEL, RUN_UID_LABEL

__all__ = ["client_of", "nodes"]


async def client_of(kubeconfig: Path) -> KubernetesClient:
    """Return a client with a kubeconfig's credentials."""
    configuration = Configuration()
    await load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
    configuration.client_session_kwargs = {"trust_env": False}
    return KubernetesClient(configuration, "nodes-of-the-test")


@contextlib.contextmanager
def nodes(kubeconfig: Path, *, run_seconds: float = 1.0, alone: bool = True) -> Iterator[None]:
    """Let pods live while the context lasts.

    Args:
        kubeconfig: of the API server.
        run_seconds: how long a runner runs.
        alone: whether KubeRay and garbage collection are played too; otherwise they are there.
    """
    stop = threading.Event()
    live = partial(_live, kubeconfig, run_seconds, stop, alone=alone)
    thread = threading.Thread(target=lambda: asyncio.run(live()), name="nodes")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _live(kubeconfig: Path, run_seconds: float, stop: threading.Event, *, alone: bool) -> None:
    client = await client_of(kubeconfig)
    world = _Nodes(client, run_seconds, alone=alone)
    while not stop.is_set():
        with contextlib.suppress(ApiError):
            await world.round()
        await asyncio.sleep(0.1)
    await client.close()


class _Nodes:
    def __init__(self, client: KubernetesClient, run_seconds: float, *, alone: bool) -> None:
        self._client, self._run_seconds, self._alone = client, run_seconds, alone

    async def round(self) -> None:
        pods = (await self._client.list(PODS, None)).items
        if self._alone:
            await self._kuberay_and_garbage(pods)
        joined = {_label(pod, RUN_UID_LABEL) for pod in pods if _label(pod, "ray.io/node-type") == "head"}
        for pod in pods:
            with contextlib.suppress(ApiError):
                await self._bring_on(pod, joined)

    async def _kuberay_and_garbage(self, pods: list[dict[str, Any]]) -> None:
        clusters = (await self._client.list(RAY_CLUSTERS, None)).items
        services = (await self._client.list(SERVICES, None, "ray.io/cluster")).items
        there = {each["metadata"]["uid"] for each in clusters}
        for cluster in clusters:
            with contextlib.suppress(ApiError):
                await self._head_of(cluster, pods, services)
        for endpoint, items in ((PODS, pods), (SERVICES, services)):
            for each in items:
                owners = each["metadata"].get("ownerReferences") or []
                if any(owner["kind"] == "RayCluster" and owner["uid"] not in there for owner in owners):
                    with contextlib.suppress(ApiError):
                        metadata = each["metadata"]
                        await self._client.delete(endpoint, metadata["namespace"], metadata["name"])

    async def _head_of(
        self, cluster: dict[str, Any], pods: list[dict[str, Any]], services: list[dict[str, Any]]
    ) -> None:
        metadata = cluster["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        owner = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "name": name,
            "uid": metadata["uid"],
            "controller": True,
        }
        template = cluster["spec"]["headGroupSpec"]["template"]
        labels = {**(template.get("metadata", {}).get("labels") or {}), "ray.io/cluster": name}
        about = {"labels": {**labels, "ray.io/node-type": "head"}, "ownerReferences": [owner]}
        if f"{name}-head" not in {each["metadata"]["name"] for each in pods}:
            head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-head", **about}}
            container = {"name": "ray-head", "image": "example.invalid/it"}
            await self._client.create(PODS, namespace, {**head, "spec": {"containers": [container]}})
        if f"{name}-head-svc" not in {each["metadata"]["name"] for each in services}:
            service = {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": f"{name}-head-svc", **about},
            }
            await self._client.create(SERVICES, namespace, {**service, "spec": {"ports": [{"port": 6379}]}})

    async def _bring_on(self, pod: dict[str, Any], joined: Set[str]) -> None:
        metadata, status = pod["metadata"], pod.get("status") or {}
        component = _label(pod, COMPONENT_LABEL)
        if not component:
            return
        if metadata.get("deletionTimestamp"):
            await self._client.delete(
                PODS, metadata["namespace"], metadata["name"], uid=metadata["uid"], grace_seconds=0
            )
        elif status.get("phase", "Pending") == "Pending":
            if component != "runner" or _label(pod, RUN_UID_LABEL) in joined:
                await self._write(pod, _status(pod, "Running", {"running": {"startedAt": _now()}}))
        elif status.get("phase") == "Running":
            started = status["containerStatuses"][0]["state"]["running"]["startedAt"]
            age = (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
            answer = _ANSWERS.get(component)
            if answer and age >= (self._run_seconds if component == "runner" else 0):
                ended = {
                    "exitCode": 0,
                    "reason": "Completed",
                    "startedAt": started,
                    "finishedAt": _now(),
                    "message": json.dumps(answer),
                }
                await self._write(pod, _status(pod, "Succeeded", {"terminated": ended}))

    async def _write(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        await self._client.replace_status(
            PODS, metadata["namespace"], metadata["name"], metadata["resourceVersion"], status
        )


_ANSWERS: dict[str, dict[str, Any]] = {
    "runner": {"outcome": "SUCCEEDED", "joined": "2026-01-02T03:04:05Z"},
    "sealer": {
        "outcome": "SUCCEEDED",
        "uri": "s3://runs/ml/runs/mnist/it",
        "sha256": "0" * 64,
        "loss": "None",
    },
}


_PLAN: dict[str, Any] = {"sha256": "1" * 64, "parts": 1, "size": 100}


def _label(pod: dict[str, Any], name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name, ""))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(pod: dict[str, Any], phase: str, state: dict[str, Any]) -> dict[str, Any]:
    ready = "running" in state

    def of(container: dict[str, Any]) -> dict[str, Any]:
        about = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "example.invalid/it@sha256:1",
        }
        return {**about, "ready": ready, "restartCount": 0, "state": state}

    conditions = [
        {
            "type": kind,
            "status": "True" if ready or kind == "PodScheduled" else "False",
            "lastTransitionTime": _now(),
        }
        for kind in ("PodScheduled", "Ready")
    ]

    def before(container: dict[str, Any]) -> dict[str, Any]:
        if container.get("restartPolicy") == "Always":
            return of(container)
        times = {"startedAt": _now(), "finishedAt": _now()}
        ended = {"exitCode": 0, "reason": "Completed", **times, "message": json.dumps(_PLAN)}
        return {**of(container), "state": {"terminated": ended}}

    spec = pod["spec"]
    return {
        "phase": phase,
        "conditions": conditions,
        "initContainerStatuses": [before(each) for each in spec.get("initContainers") or []],
        "containerStatuses": [of(each) for each in spec["containers"]],
    }
