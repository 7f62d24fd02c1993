"""How what a user sets of all pods and of one kind of pod comes together, and what is set for nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

from vaportrail.crd.pod import PodSettings, Resources

__all__ = ["appended", "merged", "platform_resources", "with_defaults"]


def merged(*given: PodSettings) -> PodSettings:
    """Return the settings of one kind of pod, from the most general ones to its own.

    Maps are merged, lists are appended, and a single value replaces one before it. Where two have an
    entry for the same thing (a map's key, a variable or a volume of the same name, a mount at the same
    path), the later counts.
    """
    return reduce(_over, given)


def _over(defaults: PodSettings, own: PodSettings) -> PodSettings:
    values: dict[str, Any] = {}
    for name in PodSettings.model_fields:
        first, second = getattr(defaults, name), getattr(own, name)
        if isinstance(first, dict):
            values[name] = {**first, **second}
        elif isinstance(first, list):
            values[name] = appended(first, second, _KEYS[name]) if name in _KEYS else [*first, *second]
        else:
            values[name] = first if second in ("", None) else second
    return PodSettings.model_construct(**values)


_KEYS = {"env": "name", "volumes": "name", "volume_mounts": "mountPath"}


def appended(
    first: Iterable[Mapping[str, Any]], second: Iterable[Mapping[str, Any]], key: str
) -> list[dict[str, Any]]:
    """Return one list after another, without those of the first that the second has an entry for."""
    last = list(second)
    taken = {each.get(key) for each in last}
    return [dict(each) for each in [*(each for each in first if each.get(key) not in taken), *last]]


def with_defaults(resources: Resources, *, cpu: str, memory: str, memory_limit: str) -> dict[str, Any]:
    """Return a container's resources, with what the user left open.

    A memory limit is always there: a request is the limit too where only that is given, because Ray
    takes from the limit how much memory it has, and without one it would take the node's.

    Args:
        resources: what the user gives.
        cpu: requested where neither a request nor a limit is given.
        memory: requested where neither a request nor a limit is given.
        memory_limit: the limit there.
    """
    requests, limits = dict(resources.requests), dict(resources.limits)
    if "cpu" not in requests and "cpu" not in limits:
        requests["cpu"] = cpu
    if "memory" not in limits:
        limits["memory"] = requests.get("memory", memory_limit)
        requests.setdefault("memory", memory)
    return {"requests": requests, "limits": limits}


def platform_resources(own: Resources, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources of a container of the platform's: what a run says of it, else the defaults."""
    return {
        kind: {**defaults.get(kind, {}), **given}
        for kind, given in (("requests", own.requests), ("limits", own.limits))
        if given or defaults.get(kind)
    }
