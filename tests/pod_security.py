"""PodSecurity `restricted`, as far as pods of ours may go, and what we ask of them beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["violations"]

Object = dict[str, Any]

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(spec: Object) -> list[str]:
    """Return what a pod's specification does that it must not; nothing where it is as it should be.

    Beyond the standard: a read-only root file system, no links to Services, a user by number, and a
    word on whether it gets the token of its ServiceAccount.
    """
    return [*_of_pod(spec), *(wrong for each in _containers(spec) for wrong in _of_container(each, spec))]


def _containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def _of_pod(spec: Object) -> Iterator[str]:
    context = spec.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name
    for volume in spec.get("volumes", []):
        kinds = volume.keys() - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds))}"
    if not context.get("runAsUser"):
        yield "runAsUser is no number other than 0"
    if context.get("sysctls"):
        yield "sysctls"
    if spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks"
    if "automountServiceAccountToken" not in spec:
        yield "automountServiceAccountToken is not said"


def _of_container(container: Object, spec: Object) -> Iterator[str]:
    pod, own = spec.get("securityContext", {}), container.get("securityContext", {})
    name = container["name"]
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
        yield f"{name}: capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True or own.get("runAsUser") == 0:
        yield f"{name}: runAsNonRoot"
    profile = own.get("seccompProfile", pod.get("seccompProfile", {}))
    if profile.get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{name}: seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if own.get("readOnlyRootFilesystem") is not True:
        yield f"{name}: readOnlyRootFilesystem"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield f"{name}: hostPort"
