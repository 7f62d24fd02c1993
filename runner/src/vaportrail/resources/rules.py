"""What must hold of a PipelineRun beyond the shape of its fields.

Each rule is a function from a run to its problems; none of them knows of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from vaportrail.resources.pipelinerun import RUN_NAME, RUN_NAME_LENGTH, PipelineRun
from vaportrail.resources.pod import PodSettings, Resources
from vaportrail.resources.problems import Problem, shown
from vaportrail.resources.quantity import parse_quantity

__all__ = ["RULES", "Rule"]

Rule = Callable[[PipelineRun], Iterable[Problem]]

REQUEST_LIMIT: Final = 64 * 1024
"""Bytes of what the runner is told; `handover.REQUEST_LIMIT`."""
_REQUEST_FRAME: Final = 2048
# What the operator adds to a request: names, uid, the record's place.
OWN_VARIABLES: Final = frozenset(
    {
        "VAPORTRAIL_RUN_REQUEST",
        "VAPORTRAIL_SEAL_REQUEST",
        "VAPORTRAIL_COLLECTOR",
        "VAPORTRAIL_COLLECTOR_TOKEN",
        "VAPORTRAIL_SPOOL",
        "RAY_AUTH_MODE",
        "RAY_AUTH_TOKEN",
    }
)
"""Environment variables that only the operator sets."""
_OWN_LABELS = ("vaportrail.dev/", "ray.io/")
_OWN_FOLDERS = ("/", "/tmp", "/dev/shm")
_OWN_TREE = "/vaportrail"
_RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_GENERATED = 5
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]"
)


def _problem(path: str, value: Any, fix: str) -> Problem:
    return Problem(path, shown(path, value), fix)


def _name(run: PipelineRun) -> Iterator[Problem]:
    name, prefix = run.metadata.name, run.metadata.generate_name
    words = "small letters, digits and '-', starting with a letter and ending without '-'"
    if not name and not prefix:
        yield Problem("metadata.name", "", "is missing; name the run, or set generateName")
    elif name and (len(name) > RUN_NAME_LENGTH or not re.fullmatch(RUN_NAME.rstrip("$"), name)):
        yield _problem("metadata.name", name, f"use at most {RUN_NAME_LENGTH} {words}")
    elif not name and (
        len(prefix) > RUN_NAME_LENGTH - _GENERATED or not re.fullmatch(RUN_NAME.rstrip("$"), f"{prefix}0")
    ):
        limit = RUN_NAME_LENGTH - _GENERATED
        yield _problem(
            "metadata.generateName", prefix, f"use at most {limit} {words}, which may end with '-'"
        )


def _source(run: PipelineRun) -> Iterator[Problem]:
    source = run.spec.source
    given = [name for name in ("git", "config_map", "archive") if getattr(source, name) is not None]
    if len(given) > 1:
        yield Problem("spec.source", "", "give at most one of git, configMap and archive")
    if source.git and (source.git.path.startswith("/") or ".." in source.git.path.split("/")):
        yield _problem("spec.source.git.path", source.git.path, "use a folder within the repository")


def _record(run: PipelineRun) -> Iterator[Problem]:
    record = run.spec.record
    claim = record.persistent_volume_claim
    path = record.uri.partition("://")[2].rstrip("/")
    if any(part in ("", ".", "..") for part in path.removeprefix("/").split("/")):
        yield _problem("spec.record.uri", record.uri, "use a path without empty parts, '.' and '..'")
    if not record.uri.startswith("file://"):
        if claim:
            fix = "is for a root file://… only; leave it out"
            yield _problem("spec.record.persistentVolumeClaim", claim.claim_name, fix)
        return
    if claim is None:
        fix = "is missing; a root file://… needs the claim that holds it"
        yield Problem("spec.record.persistentVolumeClaim", "", fix)
    elif not f"{path}/".startswith(f"{claim.mount_path.rstrip('/')}/"):
        fix = f"use file://{claim.mount_path.rstrip('/')}/…, which is on the claim"
        yield _problem("spec.record.uri", record.uri, fix)
    if claim and _is_taken(claim.mount_path):
        fix = "is the operator's own; use another folder, such as /data"
        yield _problem("spec.record.persistentVolumeClaim.mountPath", claim.mount_path, fix)


def _parameters(run: PipelineRun) -> Iterator[Problem]:
    for name in run.spec.parameters:
        if not name.isidentifier():
            yield Problem(f"spec.parameters.{name}", "", "a parameter's name is a name of Python")
    told = {"parameters": run.spec.parameters, "tags": run.spec.tags}
    size = len(json.dumps(told).encode()) + _REQUEST_FRAME
    if size > REQUEST_LIMIT:
        fix = (
            f"with the tags they take {size} bytes of {REQUEST_LIMIT}; put large ones in a file in the source"
        )
        yield Problem("spec.parameters", "", fix)


def _worker_groups(run: PipelineRun) -> Iterator[Problem]:
    names = [group.name for group in run.spec.ray.workers]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield _problem(f"spec.ray.workers[{index}].name", name, "give each group a name of its own")


def _ray_resources(run: PipelineRun) -> Iterator[Problem]:
    for index, group in enumerate(run.spec.ray.workers):
        for name in group.ray_resources:
            if name in _RAYS_OWN:
                path = f"spec.ray.workers[{index}].rayResources"
                yield Problem(path, repr(name), "is Ray's own, and follows from resources; leave it out")


def _resources(run: PipelineRun) -> Iterator[Problem]:
    spec = run.spec
    groups = ((f"ray.workers[{n}]", group.resources) for n, group in enumerate(spec.ray.workers))
    own: list[tuple[str, Resources]] = [
        ("ray.head", spec.ray.head.resources),
        ("runner", spec.runner.resources),
        ("sealer", spec.sealer.resources),
    ]
    for place, resources in chain(own, groups):
        for name, request in resources.requests.items():
            limit = resources.limits.get(name)
            if limit is not None and parse_quantity(request) > parse_quantity(limit):
                path = f"spec.{place}.resources.requests.{name}"
                yield _problem(path, request, f"use no more than the limit, {limit}")


def _pods(run: PipelineRun) -> Iterator[tuple[str, PodSettings]]:
    spec = run.spec
    yield "spec.podDefaults", spec.pod_defaults
    yield "spec.ray.head.pod", spec.ray.head.pod
    yield "spec.runner.pod", spec.runner.pod
    yield "spec.sealer.pod", spec.sealer.pod
    for index, group in enumerate(spec.ray.workers):
        yield f"spec.ray.workers[{index}].pod", group.pod


def _variables(run: PipelineRun) -> Iterator[Problem]:
    for place, pod in _pods(run):
        for index, variable in enumerate(pod.env):
            path, name = f"{place}.env[{index}]", variable["name"]
            if name in OWN_VARIABLES:
                yield _problem(f"{path}.name", name, "is set by the operator; use another name")
            elif not _VARIABLE.fullmatch(name):
                fix = "use letters, digits, '_', '-' and '.', not starting with a digit"
                yield _problem(f"{path}.name", name, fix)
            if variable.get("value") and "valueFrom" in variable:
                yield Problem(path, "", "give value or valueFrom, not both")
        for index, source in enumerate(pod.env_from):
            if ("configMapRef" in source) == ("secretRef" in source):
                yield Problem(f"{place}.envFrom[{index}]", "", "give either configMapRef or secretRef")


def _labels(run: PipelineRun) -> Iterator[Problem]:
    for place, pod in _pods(run):
        for field, keys in (
            ("labels", pod.labels),
            ("annotations", pod.annotations),
            ("nodeSelector", pod.node_selector),
        ):
            for key in keys:
                path = f"{place}.{field}"
                if not _LABEL_KEY.fullmatch(key):
                    yield Problem(path, repr(key), "use a name such as team, or example.com/team")
                elif field != "nodeSelector" and key.startswith(_OWN_LABELS):
                    yield Problem(path, repr(key), "is the operator's or KubeRay's own; leave it out")


def _volumes(run: PipelineRun) -> Iterator[Problem]:
    shared = [volume["name"] for volume in run.spec.pod_defaults.volumes]
    for place, pod in _pods(run):
        own = [volume["name"] for volume in pod.volumes]
        inherits = place not in ("spec.podDefaults", "spec.sealer.pod")
        known = [*(shared if inherits else ()), *own]
        for index, name in enumerate(own):
            if known.count(name) > 1:
                fix = "give each volume of a pod a name of its own, podDefaults included"
                yield _problem(f"{place}.volumes[{index}].name", name, fix)
            if len(pod.volumes[index]) > 2:
                yield Problem(f"{place}.volumes[{index}]", "", "give one kind of volume")
        for index, mount in enumerate(pod.volume_mounts):
            path = f"{place}.volumeMounts[{index}]"
            if mount["name"] not in known:
                there = f"there is {', '.join(known)}" if known else "there is none"
                yield _problem(f"{path}.name", mount["name"], f"no volume has this name; {there}")
            if _is_taken(mount["mountPath"]):
                fix = "is the operator's own; use another folder, such as /data"
                yield _problem(f"{path}.mountPath", mount["mountPath"], fix)


def _is_taken(folder: str) -> bool:
    path = folder.rstrip("/") or "/"
    return path in _OWN_FOLDERS or f"{path}/".startswith(f"{_OWN_TREE}/")


RULES: Final[tuple[Rule, ...]] = (
    _name,
    _source,
    _record,
    _parameters,
    _worker_groups,
    _ray_resources,
    _resources,
    _variables,
    _labels,
    _volumes,
)
"""All of them, in the order in which their problems are told."""
