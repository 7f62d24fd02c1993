"""The sealer's pod, of the operator's image: a user's image that cannot be pulled does not stop it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import SEAL_FOLDER, SEAL_VARIABLE
from vaportrail.contract.pod_messages import ReceiptEntry, SealRequest, TimelineEntry
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail_operator.planning.children.platform import on_the_platform
from vaportrail_operator.planning.children.pod_settings import merged, platform_resources
from vaportrail_operator.planning.children.pod_template import ANNOTATIONS, container, pod_spec, variable
from vaportrail_operator.planning.children.storage import sealer_storage
from vaportrail_operator.planning.names import (
    identity_of,
    metadata_of,
    record_path,
    record_root,
    sealer_name,
)
from vaportrail_operator.planning.types import Component, OperatorSettings

__all__ = ["SEALER_RESOURCES", "seal_request", "sealer_pod"]

SEALER_RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
_FIXED: Final = {"name": f"{OWN_VOLUMES}seal", "mountPath": SEAL_FOLDER}
_OF_A_STARTED_RUNNER: Final = ("RunnerPulled", "RunnerJoined", "UserCode")
"""Intervals of the timeline that are there once the runner's container has run."""
_Fact = Literal["image", "image_digest", "namespace", "operator_version"]


def seal_request(
    run: PipelineRun,
    settings: OperatorSettings,
    *,
    outcome: Outcome,
    message: str,
    timeline: Sequence[TimelineEntry],
    receipt: Sequence[ReceiptEntry],
) -> SealRequest:
    """Return what the sealer is asked to do.

    Args:
        run: the run; its status says what image it ran, and which plan an earlier sealer has fixed.
        settings: the operator's.
        outcome: how the operator says that the run ended.
        message: why.
        timeline: of its infrastructure.
        receipt: of what was made for it.
    """
    facts: dict[_Fact, str] = {
        "image": run.spec.image,
        "image_digest": run.status.image_digest,
        "namespace": run.metadata.namespace,
        "operator_version": settings.version,
    }
    return SealRequest(
        identity=identity_of(run),
        root=record_root(run),
        path=record_path(run),
        outcome=outcome,
        message=message,
        timeline=list(timeline),
        receipt=list(receipt),
        environment={name: value for name, value in facts.items() if value},
        # The status keeps the timeline, whoever looks when the runner's pod is gone.
        runner_started=any(interval.name in _OF_A_STARTED_RUNNER for interval in timeline),
        plan_sha256=run.status.record.plan_sha256 if run.status.record else "",
    )


def sealer_pod(run: PipelineRun, settings: OperatorSettings, request: SealRequest) -> dict[str, Any]:
    """Return the sealer's pod: its first container fixes what is sealed, its second seals that.

    The run does not own it: a deletion in the foreground would take it along. It takes none of the
    run's `podDefaults`, and ends itself at its deadline, whatever becomes of the operator.
    """
    own, storage = run.spec.sealer, sealer_storage(run)
    pod = merged(settings.run_pods.placement, own.pod)
    shared: dict[str, Any] = {
        "resources": platform_resources(own.resources, settings.sealer_resources or SEALER_RESOURCES),
        "pull_policy": pod.image_pull_policy or settings.image_pull_policy,
        "mounts": [*pod.volume_mounts, *storage.mounts, _FIXED],
        "env": [*pod.env, *storage.env, variable(SEAL_VARIABLE, request.model_dump_json())],
        "env_from": [*pod.env_from, *storage.env_from],
    }
    command = ["vaportrail", "seal-run", "--folder", SEAL_FOLDER]
    plan = container("plan", settings.operator_image, command=[*command, "--fix"], **shared)
    main = container("sealer", settings.operator_image, command=command, **shared)
    annotations = {**ANNOTATIONS, **pod.annotations}
    spec = pod_spec(
        main,
        settings=pod,
        restart_policy="OnFailure",
        before=[plan],
        volumes=[{"name": _FIXED["name"], "emptyDir": {}}, *storage.volumes],
        service_account=own.service_account_name or run.spec.service_account_name,
        pull_secrets=settings.image_pull_secrets,
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata_of(
            run,
            sealer_name(run),
            Component.SEALER,
            owned=False,
            labels=pod.labels,
            annotations=annotations,
        ),
        "spec": {
            **on_the_platform(spec, run, settings.run_pods),
            "activeDeadlineSeconds": run.spec.deadlines.seal_seconds,
        },
    }
