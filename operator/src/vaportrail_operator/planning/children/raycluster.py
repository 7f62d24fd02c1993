"""The run's RayCluster: a head that runs no tasks, and the groups of workers."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from vaportrail.contract.pod_environment import WORKER_RESOURCE
from vaportrail.crd.pipelinerun import PipelineRun, WorkerGroupSpec
from vaportrail.crd.pod import PodSettings
from vaportrail.crd.validation.spec_rules import OLDEST_RAY
from vaportrail_operator.planning.children.bounds import (
    end_check,
    end_env,
    guarded,
    life_seconds,
    not_after_its_end,
)
from vaportrail_operator.planning.children.platform import on_the_platform
from vaportrail_operator.planning.children.pod_settings import merged, with_defaults
from vaportrail_operator.planning.children.pod_template import (
    ANNOTATIONS,
    SHARED_MEMORY,
    SPOOL,
    container,
    grace_seconds,
    pod_spec,
    spool_volumes,
    tcp_probe,
    variable,
)
from vaportrail_operator.planning.children.shipper import shipper
from vaportrail_operator.planning.children.storage import NO_STORAGE, Storage, writer_storage
from vaportrail_operator.planning.names import base_name, labels_of, metadata_of, tokens_name
from vaportrail_operator.planning.run_pods import RunPods
from vaportrail_operator.planning.types import Component, OperatorSettings

__all__ = ["GCS_PORT", "ray_cluster"]

GCS_PORT: Final = 6379
_NODE_MANAGER_PORT: Final = 6380
# With ports that are known `ray start` does not wait for files in which its processes write them.
# Ray gives its workers 10002 to 19999.
_PORTS: Final = {
    "node-manager-port": str(_NODE_MANAGER_PORT),
    "object-manager-port": "6381",
    "runtime-env-agent-port": "6382",
    "dashboard-agent-grpc-port": "6383",
}
# What tasks print is captured where they run; KubeRay drops a plain "false" of this option.
_START: Final = {**_PORTS, "include-log-monitor": "0"}
_HEAD_START: Final = {**_START, "num-cpus": "0", "include-dashboard": "false", "no-monitor": "true"}
_ENVIRONMENT: Final = {
    # A lost worker's own children go with it.
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",
    # A task that asks for no GPU sees none.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A node that is told to end would first wait up to half a minute for its head to say that it is
    # drained: head and workers end together, when nothing runs on them any more.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
}
"""As an embedded Ray has them."""
_WITHOUT_END: Final = 1_000_000
_LIVENESS: Final = {"periodSeconds": 10, "failureThreshold": 30}


def ray_cluster(run: PipelineRun, operator: OperatorSettings) -> dict[str, Any]:
    """Return the RayCluster; its clients need the run's token."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": metadata_of(
            run,
            base_name(run),
            # A head that is made again knows nothing of the run: better none.
            annotations={"ray.io/disable-provisioned-head-restart": "true"},
        ),
        "spec": {
            "rayVersion": run.spec.ray.version or OLDEST_RAY,
            "authOptions": {"mode": "token", "secretName": tokens_name(run)},
            "headGroupSpec": _head(run, operator.run_pods),
            "workerGroupSpecs": [_workers(run, operator.run_pods, group) for group in run.spec.ray.workers],
        },
    }


def _head(run: PipelineRun, platform: RunPods) -> dict[str, Any]:
    spec = run.spec.ray.head
    resources = with_defaults(spec.resources, cpu="250m", memory="1Gi", memory_limit="2Gi")
    return {
        "rayStartParams": dict(_HEAD_START),
        # As KubeRay makes it, with the run's labels: it is looked for by them in the end.
        "headService": {
            "metadata": {"labels": labels_of(run)},
            "spec": {"clusterIP": "None", "publishNotReadyAddresses": True},
        },
        "template": _template(run, platform, Component.HEAD, spec.pod, resources, NO_STORAGE, port=GCS_PORT),
    }


def _workers(run: PipelineRun, platform: RunPods, group: WorkerGroupSpec) -> dict[str, Any]:
    # KubeRay tells Ray the CPUs of the limit, or else of the request, as whole ones, rounded up.
    resources = with_defaults(group.resources, cpu="1", memory="2Gi", memory_limit="2Gi")
    offered = {**group.ray_resources, WORKER_RESOURCE: _WITHOUT_END}
    parameters = {**_START, "resources": shlex.quote(json.dumps(offered))}
    return {
        "groupName": group.name,
        "replicas": group.replicas,
        "minReplicas": group.replicas,
        "maxReplicas": group.replicas,
        "rayStartParams": parameters,
        "template": _template(
            run,
            platform,
            Component.WORKER,
            group.pod,
            resources,
            writer_storage(run),
            port=_NODE_MANAGER_PORT,
        ),
    }


def _template(
    run: PipelineRun,
    platform: RunPods,
    component: Component,
    own: PodSettings,
    resources: dict[str, Any],
    storage: Storage,
    *,
    port: int,
) -> dict[str, Any]:
    """Return a pod's template.

    Its probes ask whether Ray's own port is open. KubeRay's would ask the dashboard's agent, which
    plain Ray does not have, begin after ten seconds, and end a pod that never answers.
    """
    settings = merged(platform.placement, run.spec.pod_defaults, own)
    is_head = component is Component.HEAD
    main = container(
        f"ray-{component.value}",
        run.spec.image,
        resources=resources,
        # KubeRay's own follows on it, in one line of the shell.
        command=[guarded(GCS_PORT) if is_head else not_after_its_end()],
        pull_policy=settings.image_pull_policy,
        mounts=[*settings.volume_mounts, SHARED_MEMORY, SPOOL, *storage.mounts],
        env=[*(variable(*each) for each in _ENVIRONMENT.items()), *settings.env, *storage.env, *end_env(run)],
        env_from=[*settings.env_from, *storage.env_from],
        readinessProbe=tcp_probe(port, failureThreshold=30),
        livenessProbe=tcp_probe(port, **_LIVENESS),
    )
    spec = pod_spec(
        main,
        settings=settings,
        restart_policy="Never",
        sidecars=[shipper(run, settings.image_pull_policy)],
        # KubeRay's own wait for the head comes before a worker's command, and takes for ever.
        before=[] if is_head else [end_check(run, settings.image_pull_policy)],
        seconds=life_seconds(run) if is_head else 0,
        volumes=[*spool_volumes(run), *storage.volumes],
        service_account=run.spec.service_account_name,
        grace=grace_seconds(run),
    )
    return {
        "metadata": {
            "labels": {**settings.labels, **labels_of(run, component)},
            "annotations": {**ANNOTATIONS, **settings.annotations},
        },
        "spec": on_the_platform(spec, run, platform),
    }
