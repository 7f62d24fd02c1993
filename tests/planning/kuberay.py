"""What KubeRay 1.6 makes of a RayCluster's pod templates, as far as our templates depend on it."""

from __future__ import annotations

import copy
import math
from typing import Any

from vaportrail.crd.quantity import parse_quantity

__all__ = ["ray_start_options", "start_line", "worker_pod"]


def worker_pod(template: dict[str, Any]) -> dict[str, Any]:
    """Return a worker's pod: an init container waits for the head, with the Ray container's rights."""
    spec = copy.deepcopy(template["spec"])
    ray = spec["containers"][0]
    waiting = {
        "name": "wait-gcs-ready",
        "image": ray["image"],
        "securityContext": copy.deepcopy(ray["securityContext"]),
        "env": copy.deepcopy(ray["env"]),
        "volumeMounts": copy.deepcopy(ray["volumeMounts"]),
        "resources": {"limits": {"cpu": "200m", "memory": "256Mi"}},
    }
    spec["initContainers"] = [*spec.get("initContainers", []), waiting]
    return spec


def start_line(container: dict[str, Any], ray_start: str) -> str:
    """Return what KubeRay has the shell do: a command of one's own, and then its own."""
    own = " ".join([*container.get("command", []), *container.get("args", [])])
    started = f"ulimit -n 65536; {ray_start}"
    return f"{own} && {started}" if own else started


def ray_start_options(group: dict[str, Any]) -> dict[str, str]:
    """Return the options of `ray start`: CPUs of the limit or else of the request, memory of the limit."""
    options = dict(group["rayStartParams"])
    resources = group["template"]["spec"]["containers"][0]["resources"]
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    cpu = limits.get("cpu", requests.get("cpu"))
    if "num-cpus" not in options and cpu is not None:
        options["num-cpus"] = str(math.ceil(parse_quantity(cpu)))
    if "memory" not in options and "memory" in limits:
        options["memory"] = str(math.ceil(parse_quantity(limits["memory"])))
    return {
        name: value
        for name, value in options.items()
        # A flag that is "false" is dropped, but for two that are known to take a value.
        if value.lower() != "false" or name in ("log-color", "include-dashboard")
    }
