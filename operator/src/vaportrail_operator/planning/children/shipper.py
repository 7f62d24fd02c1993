"""The sidecar that posts what a pod has spooled to the run's collector, also while the pod ends."""

from __future__ import annotations

from typing import Any, Final

from vaportrail.contract.pod_environment import (
    COLLECTOR_PORT,
    COLLECTOR_TOKEN_VARIABLE,
    COLLECTOR_VARIABLE,
    DRAIN_VARIABLE,
    SPOOL_FOLDER,
    SPOOL_VARIABLE,
)
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail_operator.planning.children.pod_template import SPOOL, container, secret_variable, variable
from vaportrail_operator.planning.names import OTLP_TOKEN, collector_name, tokens_name

__all__ = ["shipper"]

_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "64Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}


def shipper(run: PipelineRun, pull_policy: str = "") -> dict[str, Any]:
    """Return the native sidecar; it knows the collector, and nothing of the store."""
    return container(
        "shipper",
        run.spec.image,
        resources=_RESOURCES,
        pull_policy=pull_policy,
        mounts=[SPOOL],
        env=[
            variable(COLLECTOR_VARIABLE, f"http://{collector_name(run)}:{COLLECTOR_PORT}"),
            secret_variable(COLLECTOR_TOKEN_VARIABLE, tokens_name(run), OTLP_TOKEN),
            variable(SPOOL_VARIABLE, SPOOL_FOLDER),
            variable(DRAIN_VARIABLE, str(run.spec.deadlines.drain_seconds)),
        ],
        command=["python3", "-m", "vaportrail.shipper"],
        restartPolicy="Always",
    )
