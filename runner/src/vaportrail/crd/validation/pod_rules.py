"""What must hold of what a PipelineRun sets of its pods."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from vaportrail.contract.pod_environment import VARIABLES
from vaportrail.crd.fields import KubernetesObject
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.pod import PodSettings
from vaportrail.crd.validation.problems import Problem, problem_at

__all__ = ["LABEL_KEY", "OWN_VARIABLES", "OWN_VOLUMES", "POD_RULES", "Rule", "is_own_folder"]

Rule = Callable[[PipelineRun], Iterable[Problem]]

OWN_VARIABLES: Final = frozenset({*VARIABLES, "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"})
"""Environment variables that only the operator sets."""
OWN_VOLUMES: Final = "vaportrail-"
"""What the names of the operator's own volumes begin with."""
_NOT_FOR_A_HEAD: Final = ("RAY_REDIS_ADDRESS", "REDIS_USERNAME", "RAY_enable_autoscaler_v2")
"""With one of these KubeRay makes no pods, and says so in an Event only."""
_OWN_LABELS = ("vaportrail.dev/", "ray.io/")
_OWN_FOLDERS = ("/", "/tmp", "/dev/shm")
_OWN_TREE = "/vaportrail"
_DEFAULTS, _HEAD = "spec.podDefaults", "spec.ray.head.pod"
_COLLECTOR, _SEALER = "spec.collector.pod", "spec.sealer.pod"
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_VARIABLE_SOURCES: Final = ("configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef")
LABEL_KEY: Final = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]"
)
"""What Kubernetes calls a qualified name: of a label, of a resource."""


def _pods(run: PipelineRun) -> Iterator[tuple[str, PodSettings]]:
    spec = run.spec
    yield _DEFAULTS, spec.pod_defaults
    yield _HEAD, spec.ray.head.pod
    yield "spec.runner.pod", spec.runner.pod
    yield _COLLECTOR, spec.collector.pod
    yield _SEALER, spec.sealer.pod
    for index, group in enumerate(spec.ray.workers):
        yield f"spec.ray.workers[{index}].pod", group.pod


def _variables(run: PipelineRun) -> Iterator[Problem]:
    for place, pod in _pods(run):
        for index, variable in enumerate(pod.env):
            path, name = f"{place}.env[{index}]", variable["name"]
            if name in OWN_VARIABLES:
                yield problem_at(f"{path}.name", name, "is set by the operator; use another name")
            elif name in _NOT_FOR_A_HEAD and place in (_DEFAULTS, _HEAD):
                fix = "KubeRay makes no Ray head that has this; leave it out"
                yield problem_at(f"{path}.name", name, fix)
            elif not _VARIABLE.fullmatch(name):
                fix = "use letters, digits, '_', '-' and '.', not starting with a digit"
                yield problem_at(f"{path}.name", name, fix)
            if variable.get("value") and "valueFrom" in variable:
                yield Problem(path, "", "give value or valueFrom, not both")
            if "valueFrom" in variable:
                yield from _value_from(f"{path}.valueFrom", variable["valueFrom"])
        for index, source in enumerate(pod.env_from):
            if ("configMapRef" in source) == ("secretRef" in source):
                yield Problem(f"{place}.envFrom[{index}]", "", "give either configMapRef or secretRef")


def _value_from(path: str, source: KubernetesObject) -> Iterator[Problem]:
    given = list(source)
    if len(given) != 1 or given[0] not in _VARIABLE_SOURCES:
        *most, last = _VARIABLE_SOURCES
        yield Problem(path, ", ".join(map(repr, given)), f"give exactly one of {', '.join(most)} and {last}")


def _labels(run: PipelineRun) -> Iterator[Problem]:
    for place, pod in _pods(run):
        for field, keys in (
            ("labels", pod.labels),
            ("annotations", pod.annotations),
            ("nodeSelector", pod.node_selector),
        ):
            for key in keys:
                path = f"{place}.{field}"
                if not LABEL_KEY.fullmatch(key):
                    yield Problem(path, repr(key), "use a name such as team, or example.com/team")
                elif field != "nodeSelector" and key.startswith(_OWN_LABELS):
                    yield Problem(path, repr(key), "is the operator's or KubeRay's own; leave it out")


def _volumes(run: PipelineRun) -> Iterator[Problem]:
    shared = [volume["name"] for volume in run.spec.pod_defaults.volumes]
    for place, pod in _pods(run):
        own = [volume["name"] for volume in pod.volumes]
        known = [*(shared if _inherits(place) else ()), *own]
        for index, name in enumerate(own):
            path = f"{place}.volumes[{index}]"
            if known.count(name) > 1:
                fix = "give each volume of a pod a name of its own, podDefaults included"
                yield problem_at(f"{path}.name", name, fix)
            if name.startswith(OWN_VOLUMES):
                fix = f"names that begin with {OWN_VOLUMES} are the operator's; use another"
                yield problem_at(f"{path}.name", name, fix)
            if len(pod.volumes[index]) > 2:
                yield Problem(path, "", "give one kind of volume")
        for index, mount in enumerate(pod.volume_mounts):
            if mount["name"] not in known:
                there = f"there is {', '.join(known)}" if known else "there is none"
                fix = f"no volume has this name; {there}"
                yield problem_at(f"{place}.volumeMounts[{index}].name", mount["name"], fix)


def _mount_paths(run: PipelineRun) -> Iterator[Problem]:
    claim = run.spec.record.persistent_volume_claim
    records = _normal(claim.mount_path) if claim else ""
    defaults = [mount["mountPath"] for mount in run.spec.pod_defaults.volume_mounts]
    for place, pod in _pods(run):
        own = [mount["mountPath"] for mount in pod.volume_mounts]
        # One of the very same path takes the place of the default.
        inherited = [each for each in defaults if each not in own] if _inherits(place) else []
        taken = [*map(_normal, inherited), *map(_normal, own)]
        for index, folder in enumerate(own):
            path = f"{place}.volumeMounts[{index}].mountPath"
            if is_own_folder(folder):
                fix = "is the operator's own; use another folder, such as /data"
                yield problem_at(path, folder, fix)
            elif _normal(folder) == records:
                fix = "is where the record's claim is, in each pod of the run; use another folder"
                yield problem_at(path, folder, fix)
            elif taken.count(_normal(folder)) > 1:
                yield problem_at(path, folder, "give each mount of a pod a folder of its own")


def _inherits(place: str) -> bool:
    return place not in (_DEFAULTS, _COLLECTOR, _SEALER)


def is_own_folder(folder: str) -> bool:
    """Return whether a folder in a pod is the operator's own."""
    path = _normal(folder)
    return path in _OWN_FOLDERS or f"{path}/".startswith(f"{_OWN_TREE}/")


def _normal(folder: str) -> str:
    return posixpath.normpath(f"/{folder.lstrip('/')}")


POD_RULES: Final[tuple[Rule, ...]] = (_variables, _labels, _volumes, _mount_paths)
"""All of them, in the order in which their problems are told."""
