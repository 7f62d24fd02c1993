"""What all pods of a run have in common: no rights, no writable file but in named folders, no token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vaportrail.contract.pod_environment import SPOOL_FOLDER
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pod import PodSettings
from vaportrail.crd.validation.pod_rules import OWN_VOLUMES
from vaportrail.crd.validation.spec_rules import SECONDS_TO_END
from vaportrail_operator.planning.children.pod_settings import appended

__all__ = [
    "ANNOTATIONS",
    "SHARED_MEMORY",
    "SPOOL",
    "TEMPORARY",
    "container",
    "grace_seconds",
    "pod_spec",
    "secret_variable",
    "spool_volumes",
    "tcp_probe",
    "variable",
]

TEMPORARY: Final = {"name": f"{OWN_VOLUMES}tmp", "mountPath": "/tmp"}
SHARED_MEMORY: Final = {"name": f"{OWN_VOLUMES}shm", "mountPath": "/dev/shm"}
SPOOL: Final = {"name": f"{OWN_VOLUMES}spool", "mountPath": SPOOL_FOLDER}
ANNOTATIONS: Final = {
    # No autoscaler or consolidation of nodes may move a pod: it would take the run down.
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
    # A mesh's proxy would outlive the main container, and Ray's own connections do not go through it.
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
}


def grace_seconds(run: PipelineRun) -> int:
    """Return how long a pod may take to end: its shipper drains once its main container has ended."""
    return run.spec.deadlines.drain_seconds + SECONDS_TO_END


def variable(name: str, value: str) -> dict[str, Any]:
    """Return an environment variable with just this value: the kubelet replaces no `$(NAME)` in it."""
    return {"name": name, "value": value.replace("$", "$$")}


def secret_variable(name: str, secret: str, key: str) -> dict[str, Any]:
    """Return an environment variable with a value of a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def tcp_probe(port: int, **timing: int) -> dict[str, Any]:
    """Return a probe that a port is open; the kubelet asks every second unless `timing` says otherwise."""
    return {"tcpSocket": {"port": port}, "periodSeconds": 1, **timing}


def spool_volumes(run: PipelineRun) -> list[dict[str, Any]]:
    """Return the volumes of a pod in which Ray runs: Ray's shared memory, and the spool."""
    return [
        {"name": SHARED_MEMORY["name"], "emptyDir": {"medium": "Memory"}},
        {"name": SPOOL["name"], "emptyDir": {"sizeLimit": str(run.spec.telemetry.spool_limit)}},
    ]


def container(
    name: str,
    image: str,
    *,
    resources: Mapping[str, Any],
    pull_policy: str = "",
    mounts: Sequence[Mapping[str, Any]] = (),
    env: Sequence[Mapping[str, Any]] = (),
    env_from: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return a container that may write nothing but `/tmp` and what is mounted.

    Args:
        name: its name.
        image: its image.
        resources: requests and limits.
        pull_policy: when the image is pulled; the cluster's default if empty.
        mounts: volumes beyond `/tmp`; one that the user mounts at the same path gives way.
        env: its variables; of two of the same name the later counts.
        env_from: Secrets and ConfigMaps of variables.
        more: further fields.
    """
    made: dict[str, Any] = {
        "name": name,
        "image": image,
        "resources": dict(resources),
        "env": appended((), _last_of_each(env), "name"),
        "volumeMounts": appended(mounts, (TEMPORARY,), "mountPath"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if pull_policy:
        made["imagePullPolicy"] = pull_policy
    if env_from:
        made["envFrom"] = [dict(each) for each in env_from]
    return {**made, **more}


def _last_of_each(env: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    last = {str(each.get("name")): index for index, each in enumerate(env)}
    return [each for index, each in enumerate(env) if last[str(each.get("name"))] == index]


def pod_spec(
    main: Mapping[str, Any],
    *,
    settings: PodSettings,
    restart_policy: str,
    sidecars: Sequence[Mapping[str, Any]] = (),
    before: Sequence[Mapping[str, Any]] = (),
    volumes: Sequence[Mapping[str, Any]] = (),
    service_account: str = "",
    pull_secrets: Sequence[str] = (),
    grace: int | None = None,
    seconds: int = 0,
) -> dict[str, Any]:
    """Return the specification of a pod that PodSecurity `restricted` lets in.

    Args:
        main: its main container.
        settings: what the user sets of it; what concerns containers is theirs.
        restart_policy: of the pod.
        sidecars: native ones, started before the main container and ended after it.
        before: run to their end before the main container is started.
        volumes: beyond `/tmp` and the user's own.
        service_account: the namespace's default unless given. No token of it is mounted unless the
            settings ask for that: an identity of the cloud brings its own.
        pull_secrets: names, beyond the user's own.
        grace: seconds to end in.
        seconds: after which the kubelet ends it, whatever it does; 0: never.
    """
    own = [{"name": TEMPORARY["name"], "emptyDir": {}}, *volumes]
    spec: dict[str, Any] = {
        "restartPolicy": restart_policy,
        "automountServiceAccountToken": bool(settings.automount_service_account_token),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            # The owner of many small files on a big volume is not worth minutes.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [dict(main)],
        "volumes": appended(settings.volumes, own, "name"),
    }
    optional: dict[str, Any] = {
        "serviceAccountName": service_account,
        "initContainers": [dict(each) for each in (*sidecars, *before)],
        "imagePullSecrets": [
            {"name": name}
            for name in dict.fromkeys([*pull_secrets, *(each.name for each in settings.image_pull_secrets)])
        ],
        "nodeSelector": settings.node_selector,
        "tolerations": settings.tolerations,
        "affinity": settings.affinity,
        "priorityClassName": settings.priority_class_name,
        "schedulerName": settings.scheduler_name,
        "runtimeClassName": settings.runtime_class_name,
        "terminationGracePeriodSeconds": grace,
        "activeDeadlineSeconds": seconds,
    }
    return {**spec, **{name: value for name, value in optional.items() if value}}
