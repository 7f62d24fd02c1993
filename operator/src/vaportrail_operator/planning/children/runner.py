"""The runner's pod: it joins the Ray cluster as a node without CPUs and drives the run."""

from __future__ import annotations

from typing import Any, Final

from vaportrail.contract.pod_environment import READY_PORT, REQUEST_VARIABLE, SOURCE_FOLDER
from vaportrail.contract.pod_messages import ArchiveSource, GitSource, RunRequest, Source
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail_operator.planning.children.bounds import life_seconds
from vaportrail_operator.planning.children.platform import on_the_platform
from vaportrail_operator.planning.children.pod_settings import merged, with_defaults
from vaportrail_operator.planning.children.pod_template import (
    ANNOTATIONS,
    SHARED_MEMORY,
    SPOOL,
    container,
    grace_seconds,
    pod_spec,
    secret_variable,
    spool_volumes,
    tcp_probe,
    variable,
)
from vaportrail_operator.planning.children.raycluster import GCS_PORT
from vaportrail_operator.planning.children.shipper import shipper
from vaportrail_operator.planning.children.storage import writer_storage
from vaportrail_operator.planning.names import (
    AUTH_TOKEN,
    head_service_name,
    identity_of,
    metadata_of,
    record_path,
    record_root,
    runner_name,
    tokens_name,
)
from vaportrail_operator.planning.types import Component, OperatorSettings

__all__ = ["run_request", "runner_pod"]

_SOURCE: Final = f"{OWN_VOLUMES}source"
_FOR_EVER: Final = 366 * 86400


def run_request(run: PipelineRun) -> RunRequest:
    """Return what the runner is asked to do."""
    deadlines = run.spec.deadlines
    return RunRequest(
        identity=identity_of(run),
        root=record_root(run),
        path=record_path(run),
        source=_source(run),
        head=head_service_name(run),
        gcs_port=GCS_PORT,
        join_seconds=deadlines.provisioning_seconds or _FOR_EVER,
        run_seconds=deadlines.run_seconds,
    )


def runner_pod(run: PipelineRun, operator: OperatorSettings) -> dict[str, Any]:
    """Return the runner's pod.

    No label of Ray's is let through to it: KubeRay would count it as one of the cluster's own.
    """
    platform, storage = operator.run_pods, writer_storage(run)
    settings = merged(platform.placement, run.spec.pod_defaults, run.spec.runner.pod)
    main = container(
        "runner",
        run.spec.image,
        resources=with_defaults(run.spec.runner.resources, cpu="250m", memory="1Gi", memory_limit="2Gi"),
        pull_policy=settings.image_pull_policy,
        mounts=[*settings.volume_mounts, SHARED_MEMORY, SPOOL, *storage.mounts, *_source_mounts(run)],
        env=[
            *settings.env,
            *storage.env,
            variable("RAY_AUTH_MODE", "token"),
            secret_variable("RAY_AUTH_TOKEN", tokens_name(run), AUTH_TOKEN),
            variable(REQUEST_VARIABLE, run_request(run).model_dump_json()),
        ],
        env_from=[*settings.env_from, *storage.env_from],
        command=["vaportrail", "runner"],
        readinessProbe=tcp_probe(READY_PORT),
    )
    annotations = {**ANNOTATIONS, **settings.annotations}
    spec = pod_spec(
        main,
        settings=settings,
        restart_policy="Never",
        sidecars=[shipper(run, settings.image_pull_policy)],
        volumes=[*spool_volumes(run), *storage.volumes, *_source_volumes(run)],
        service_account=run.spec.service_account_name,
        grace=grace_seconds(run),
        seconds=life_seconds(run),
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata_of(
            run, runner_name(run), Component.RUNNER, labels=settings.labels, annotations=annotations
        ),
        "spec": on_the_platform(spec, run, platform),
    }


def _source(run: PipelineRun) -> Source:
    source = run.spec.source
    if source.git:
        return Source(git=GitSource(**source.git.model_dump(by_alias=False)))
    if source.archive:
        return Source(archive=ArchiveSource(**source.archive.model_dump(by_alias=False)))
    return Source(folder=SOURCE_FOLDER) if source.config_map else Source()


def _source_volumes(run: PipelineRun) -> list[dict[str, Any]]:
    files = run.spec.source.config_map
    return [{"name": _SOURCE, "configMap": {"name": files.name}}] if files else []


def _source_mounts(run: PipelineRun) -> list[dict[str, Any]]:
    mount = {"name": _SOURCE, "mountPath": SOURCE_FOLDER, "readOnly": True}
    return [mount] if run.spec.source.config_map else []
