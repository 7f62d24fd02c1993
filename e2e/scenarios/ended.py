"""How a pod's container ended: waited for, and told with what it printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from e2e.cluster.kubectl import Kubectl

__all__ = ["Ended", "wait_until_ended"]


@dataclass(frozen=True)
class Ended:
    """The end of a container."""

    exit_code: int
    reason: str
    """What the kubelet calls it: Completed, Error, OOMKilled."""
    message: str
    """What the container wrote to /dev/termination-log."""
    log: str


def wait_until_ended(
    kubectl: Kubectl, pod: str, container: str = "main", *, log: bool = True, timeout: float = 150
) -> Ended:
    """Wait until a container of a pod has ended, well or not.

    Args:
        kubectl: in the pod's namespace.
        pod: its name.
        container: its name; it may be a sidecar.
        log: whether to read what it printed: of a pod that is being deleted that may be gone.
        timeout: seconds to wait at most.
    """
    sidecars = [each["name"] for each in kubectl.json("get", "pod", pod)["spec"].get("initContainers", [])]
    field = "initContainerStatuses" if container in sidecars else "containerStatuses"
    path = f'{{.status.{field}[?(@.name=="{container}")].state.terminated}}'
    kubectl.wait(f"pod/{pod}", f"jsonpath={path}", timeout=timeout)
    statuses: list[dict[str, Any]] = kubectl.json("get", "pod", pod)["status"][field]
    (state,) = (status["state"]["terminated"] for status in statuses if status["name"] == container)
    return Ended(
        exit_code=state["exitCode"],
        reason=state["reason"],
        message=state.get("message", ""),
        log=kubectl("logs", pod, f"--container={container}") if log else "",
    )
