"""The run's collector: a stock `otelcol-contrib` in a pod of its own, and the Service before it."""

from __future__ import annotations

import json
from typing import Any, Final

from vaportrail.contract.pod_environment import COLLECTOR_PORT, COLLECTOR_TOKEN_VARIABLE
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.children.bounds import collector_seconds
from vaportrail_operator.planning.children.collector_configuration import collector_configuration
from vaportrail_operator.planning.children.platform import on_the_platform
from vaportrail_operator.planning.children.pod_settings import merged, platform_resources
from vaportrail_operator.planning.children.pod_template import (
    ANNOTATIONS,
    container,
    grace_seconds,
    pod_spec,
    secret_variable,
    variable,
)
from vaportrail_operator.planning.children.storage import collector_storage
from vaportrail_operator.planning.names import (
    OTLP_TOKEN,
    collector_name,
    labels_of,
    metadata_of,
    tokens_name,
)
from vaportrail_operator.planning.types import (
    COMPONENT_LABEL,
    RUN_UID_LABEL,
    Component,
    OperatorSettings,
)

__all__ = ["COLLECTOR_RESOURCES", "CONFIGURATION_VARIABLE", "collector_pod", "collector_service"]

CONFIGURATION_VARIABLE: Final = "VAPORTRAIL_COLLECTOR_CONFIG"
COLLECTOR_RESOURCES: Final = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}


def collector_service(run: PipelineRun) -> dict[str, Any]:
    """Return the Service that the shippers post to."""
    labels = labels_of(run, Component.COLLECTOR)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(run, collector_name(run), owned=False),
        "spec": {
            "selector": {name: labels[name] for name in (RUN_UID_LABEL, COMPONENT_LABEL)},
            "ports": [{"name": "otlp-http", "port": COLLECTOR_PORT}],
        },
    }


def collector_pod(run: PipelineRun, settings: OperatorSettings) -> dict[str, Any]:
    """Return the collector's pod; it takes none of the run's `podDefaults`.

    It has no probe: a shipper that comes too early tries again.
    """
    own, storage = run.spec.collector, collector_storage(run)
    pod = merged(settings.run_pods.placement, own.pod)
    configuration = json.dumps(collector_configuration(run), separators=(",", ":"))
    main = container(
        "collector",
        settings.collector_image,
        resources=platform_resources(own.resources, settings.collector_resources or COLLECTOR_RESOURCES),
        pull_policy=pod.image_pull_policy or settings.image_pull_policy,
        mounts=[*pod.volume_mounts, *storage.mounts],
        env=[
            *pod.env,
            *storage.env,
            variable(CONFIGURATION_VARIABLE, configuration),
            secret_variable(COLLECTOR_TOKEN_VARIABLE, tokens_name(run), OTLP_TOKEN),
        ],
        env_from=[*pod.env_from, *storage.env_from],
        args=[f"--config=env:{CONFIGURATION_VARIABLE}"],
    )
    spec = pod_spec(
        main,
        settings=pod,
        restart_policy="Always",
        volumes=storage.volumes,
        service_account=run.spec.service_account_name,
        pull_secrets=settings.image_pull_secrets,
        grace=grace_seconds(run),
        seconds=collector_seconds(run),
    )
    annotations = {**ANNOTATIONS, **pod.annotations}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata_of(
            run,
            collector_name(run),
            Component.COLLECTOR,
            owned=False,
            labels=pod.labels,
            annotations=annotations,
        ),
        "spec": on_the_platform(spec, run, settings.run_pods),
    }
