"""What the scenarios create: pods that PodSecurity `restricted` lets in, and what goes with them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

__all__ = [
    "Object",
    "container",
    "pod",
    "pod_spec",
    "python",
    "ray_cluster",
    "ray_container",
    "secret",
    "secret_variable",
    "service",
    "sidecar",
]

Object = dict[str, Any]

_VOLUMES: list[Object] = [
    {"name": "tmp", "emptyDir": {}},
    # The container runtime gives 64 MiB, of which Ray says that they are too few.
    {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
]


def container(
    name: str, image: str = "runner", *, cpu: str = "100m", memory: str = "128Mi", **more: Any
) -> Object:
    """Return a container that may do nothing but run: no rights, no writable file of its own but in `/tmp`.

    Args:
        name: its name.
        image: of `localhost/vaportrail/…:dev`.
        cpu: what it asks for; it may take more.
        memory: its limit.
        more: further fields, which replace those given here.
    """
    return {
        "name": name,
        "image": f"localhost/vaportrail/{image}:dev",
        "imagePullPolicy": "Never",
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        **more,
    }


def python(name: str, code: str, *arguments: str, **more: Any) -> Object:
    """Return a container of the runner image that runs a Python program."""
    return container(name, command=["python3", "-c", code, *arguments], **more)


def sidecar(of: Object) -> Object:
    """Return a container as a native sidecar: started before the others, ended after them."""
    return {**of, "restartPolicy": "Always"}


def pod_spec(*containers: Object, sidecars: tuple[Object, ...] = (), **more: Any) -> Object:
    """Return the specification of a locked-down pod without a ServiceAccount's token."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": list(sidecars),
        "containers": list(containers),
        "volumes": _VOLUMES,
        **more,
    }


def pod(name: str, spec: Object, **metadata: Any) -> Object:
    """Return a pod that runs once, labelled `app: NAME`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, **metadata},
        "spec": {"restartPolicy": "Never", **spec},
    }


def service(name: str, port: int, *, app: str | None = None) -> Object:
    """Return a Service of the pods that are labelled `app: APP`, by default with its own name."""
    spec = {"selector": {"app": app or name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def secret(name: str, **values: str) -> Object:
    """Return a Secret of texts."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def secret_variable(variable: str, name: str, key: str) -> Object:
    """Return an environment variable with a value of a Secret."""
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def ray_container(name: str, *, memory: str = "2Gi", **more: Any) -> Object:
    """Return a container in which Ray runs: the runner image, with shared memory of a size Ray asks for."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}]
    return container(name, memory=memory, volumeMounts=mounts, **more)


def ray_cluster(name: str, *, workers: int = 1) -> Object:
    """Return a RayCluster whose clients need a token: a head that runs no tasks, and workers of one CPU."""
    parameters = {"num-cpus": "1"}
    group = {
        "groupName": "workers",
        "replicas": workers,
        "minReplicas": workers,
        "maxReplicas": workers,
        "rayStartParams": parameters,
        "template": {"spec": pod_spec(ray_container("ray-worker"))},
    }
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": name},
        "spec": {
            # KubeRay writes other probes for another Ray.
            "rayVersion": version("ray"),
            "authOptions": {"mode": "token"},
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},
                "template": {"spec": pod_spec(ray_container("ray-head"))},
            },
            "workerGroupSpecs": [group],
        },
    }
