"""A planner as small as can be, for tests of what carries plans out; and the manifests it makes.

Pending: all is made. Running: until the runner has ended. Releasing: until a sweep finds nothing.
"""

from __future__ import annotations

from typing import Any

from vaportrail.crd.status import Phase
from vaportrail_operator.planning.kinds import Kind
from vaportrail_operator.planning.types import (
    COMPONENT_LABEL,
    RUN_LABEL,
    RUN_UID_LABEL,
    Action,
    Component,
    Create,
    CreateTokens,
    Delete,
    KubernetesEvent,
    Observed,
    Plan,
    SecretState,
    Sweep,
)

__all__ = ["base", "child", "pod", "run_of", "small_plan"]


def run_of(name: str = "mnist", **spec: Any) -> dict[str, Any]:
    """Return a PipelineRun as a user writes it."""
    asked = {
        "pipeline": "mnist",
        "entrypoint": "mnist.pipeline:mnist",
        "image": "registry.invalid/mnist:1",
        "record": {"uri": "s3://runs/ml"},
        "ray": {"workers": [{"name": "workers"}]},
        **spec,
    }
    return {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name, "namespace": "team"},
        "spec": asked,
    }


def base(name: str, uid: str) -> str:
    return f"{name}-{uid[:8]}"


def child(
    api: str, kind: str, name: str, run: str, uid: str, component: str = "", owned: bool = True
) -> dict[str, Any]:
    """Return the manifest of something made for a run."""
    labels = {RUN_UID_LABEL: uid, RUN_LABEL: run, **({COMPONENT_LABEL: component} if component else {})}
    owner = {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "name": run,
        "uid": uid,
        "controller": True,
    }
    owners = {"ownerReferences": [owner]} if owned else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels, **owners}}


def pod(name: str, run: str, uid: str, component: str, owned: bool = True) -> dict[str, Any]:
    manifest = child("v1", "Pod", name, run, uid, component, owned)
    manifest["spec"] = {
        "restartPolicy": "Never",
        "containers": [{"name": component, "image": "registry.invalid/it:1"}],
    }
    return manifest


def _ray_cluster(name: str, run: str, uid: str) -> dict[str, Any]:
    manifest = child("ray.io/v1", "RayCluster", name, run, uid)
    container = {"name": "ray-head", "image": "registry.invalid/it:1"}
    template = {"spec": {"containers": [container]}}
    manifest["spec"] = {"headGroupSpec": {"rayStartParams": {}, "template": template}}
    return manifest


def _service(name: str, run: str, uid: str) -> dict[str, Any]:
    return child("v1", "Service", name, run, uid) | {"spec": {"ports": [{"port": 4318}]}}


def _made(observed: Observed) -> list[Action]:
    name, uid = observed.run.metadata.name, observed.run.metadata.uid
    first = base(name, uid)
    actions: list[Action] = []
    if observed.secret is SecretState.UNKNOWN:
        secret = child("v1", "Secret", f"{first}-tokens", name, uid)
        actions.append(CreateTokens(secret, ("auth_token", "otlp_token")))
    if not observed.services:
        actions.append(Create(Kind.SERVICE, _service(f"{first}-collector", name, uid)))
    if observed.ray_cluster is None:
        actions.append(Create(Kind.RAY_CLUSTER, _ray_cluster(first, name, uid)))
    if observed.pod(Component.RUNNER) is None:
        runner = pod(f"{first}-runner", name, uid, "runner")
        actions.append(Create(Kind.POD, runner))
    return actions


def _released(observed: Observed) -> list[Action]:
    actions: list[Action] = [
        Delete(Kind.POD, each.name, each.uid) for each in observed.pods if not each.deleting
    ]
    actions += [
        Delete(Kind.SERVICE, each.name, each.uid)
        for each in observed.services
        if each.name.endswith("-collector") and not each.deleting
    ]
    cluster = observed.ray_cluster
    if cluster and not cluster.deleting:
        actions.append(Delete(Kind.RAY_CLUSTER, cluster.name, cluster.uid))
    if observed.secret is not SecretState.GONE:
        first = base(observed.run.metadata.name, observed.run.metadata.uid)
        actions.append(Delete(Kind.SECRET, f"{first}-tokens"))
    return actions


def small_plan(observed: Observed) -> Plan:
    """Return what to do next."""
    status = observed.run.status
    if observed.run.metadata.deletion_timestamp or (status.phase and Phase(status.phase).terminal):
        return Plan(status)
    runner = observed.pod(Component.RUNNER)
    if status.phase == "":
        return Plan(status.model_copy(update={"phase": Phase.PROVISIONING}), requeue_after=5.0)
    if status.phase is Phase.PROVISIONING:
        if observed.run.spec.cancel:
            return Plan(status.model_copy(update={"phase": Phase.RELEASING}))
        if runner is None or runner.started_at is None:
            return Plan(status, tuple(_made(observed)), requeue_after=5.0)
        return Plan(status.model_copy(update={"phase": Phase.RUNNING}))
    if status.phase is Phase.RUNNING:
        if runner is not None and runner.terminated is None and not observed.run.spec.cancel:
            return Plan(status, requeue_after=5.0)
        return Plan(status.model_copy(update={"phase": Phase.RELEASING}))
    actions = _released(observed)
    if actions:
        return Plan(status, tuple(actions), requeue_after=1.0)
    if observed.sweep_result is None or observed.sweep_result.left:
        return Plan(status, (Sweep(),), requeue_after=1.0)
    note = KubernetesEvent("Normal", "Completed", "nothing is left")
    return Plan(status.model_copy(update={"phase": Phase.SUCCEEDED}), events=(note,))
