"""What must hold of a PipelineRun beyond the shape of its fields.

Each rule is a function from a run to its problems; none of them knows of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from vaportrail.contract.pod_environment import REQUEST_LIMIT
from vaportrail.crd.fields import ARCHIVE_ENDINGS
from vaportrail.crd.pipelinerun import RUN_NAME, RUN_NAME_LENGTH, PipelineRun
from vaportrail.crd.status import printed_bytes
from vaportrail.crd.validation.pod_rules import POD_RULES, Rule, is_own_folder
from vaportrail.crd.validation.problems import Problem, advice, problem_at
from vaportrail.crd.validation.resource_rules import RESOURCE_RULES

__all__ = ["OLDEST_RAY", "ROOT_BYTES", "RULES", "SECONDS_TO_END"]

# What the operator adds to a request: names, uid, the record's place.
_REQUEST_FRAME: Final = 2048
OLDEST_RAY: Final = "2.52.0"
"""The oldest Ray whose clusters can ask for a token."""
ROOT_BYTES: Final = 512
"""Of a record root, as the status of a run that has one is printed."""
SECONDS_TO_END: Final = 10
"""What a pod may take to end beyond `drainSeconds`, before it is ended."""
_RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
_GENERATED = 5
_CREDENTIALS = re.compile(r"https?://[^/?#\s]*@")


def _name(run: PipelineRun) -> Iterator[Problem]:
    name, prefix = run.metadata.name, run.metadata.generate_name
    words = "small letters, digits and '-', starting with a letter and ending without '-'"
    if not name and not prefix:
        yield Problem("metadata.name", "", "is missing; name the run, or set generateName")
    elif name and (len(name) > RUN_NAME_LENGTH or not re.fullmatch(RUN_NAME.rstrip("$"), name)):
        yield problem_at("metadata.name", name, f"use at most {RUN_NAME_LENGTH} {words}")
    elif not name and (
        len(prefix) > RUN_NAME_LENGTH - _GENERATED or not re.fullmatch(RUN_NAME.rstrip("$"), f"{prefix}0")
    ):
        limit = RUN_NAME_LENGTH - _GENERATED
        yield problem_at(
            "metadata.generateName", prefix, f"use at most {limit} {words}, which may end with '-'"
        )


def _source(run: PipelineRun) -> Iterator[Problem]:
    source = run.spec.source
    given = [name for name in ("git", "config_map", "archive") if getattr(source, name) is not None]
    if len(given) > 1:
        yield Problem("spec.source", "", "give at most one of git, configMap and archive")
    if source.git and (source.git.path.startswith("/") or ".." in source.git.path.split("/")):
        yield problem_at("spec.source.git.path", source.git.path, "use a folder within the repository")
    # What may hold a password is not repeated.
    if source.git and (_CREDENTIALS.match(source.git.url) or "?" in source.git.url):
        fix = "holds credentials or a query; use the plain URL of a public repository"
        yield Problem("spec.source.git.url", "", fix)
    elif source.git:
        yield from _address("spec.source.git.url", source.git.url)
    if source.archive and _CREDENTIALS.match(source.archive.uri):
        fix = "holds credentials; use an address without, or the bucket's own with record.secretRef"
        yield Problem("spec.source.archive.uri", "", fix)
    elif source.archive:
        # A query may be a signature that lets everybody read.
        address = source.archive.uri.partition("?")[0]
        broken = [*_address("spec.source.archive.uri", address)]
        yield from broken
        if not broken and not address.rpartition("/")[2].endswith(ARCHIVE_ENDINGS):
            fix = f"its name must end in one of {', '.join(ARCHIVE_ENDINGS)}"
            yield problem_at("spec.source.archive.uri", address, fix)


def _address(path: str, url: str) -> Iterator[Problem]:
    """Yield a problem where a URL has no host, or a host or a port that there cannot be."""
    try:
        parts = urlsplit(url)
        leads = parts.scheme == "file" or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        leads = False
    if not leads:
        # Before an @ there may be a password, also where nothing else is as in a URL.
        yield Problem(path, "", advice(path)) if "@" in url else problem_at(path, url, advice(path))


def _image(run: PipelineRun) -> Iterator[Problem]:
    name = run.spec.image.partition("@")[0]
    first, slash, rest = name.partition("/")
    # So container engines tell a registry from the first folder of a repository.
    is_host = slash and (first == "localhost" or first != first.lower() or re.search("[.:]", first))
    repository = re.sub(r":[^/]*$", "", rest if is_host else name)
    if repository != repository.lower():
        fix = "use small letters between registry and tag, such as registry.example.com/mnist:1"
        yield problem_at("spec.image", run.spec.image, fix)


def _record(run: PipelineRun) -> Iterator[Problem]:
    record = run.spec.record
    claim = record.persistent_volume_claim
    path = record.uri.partition("://")[2].rstrip("/")
    if record.endpoint:
        yield from _address("spec.record.endpoint", record.endpoint)
    if (size := printed_bytes(record.uri)) > ROOT_BYTES:
        fix = f"use at most {ROOT_BYTES} bytes, and not {size}: it is repeated in the run's status"
        yield problem_at("spec.record.uri", record.uri, fix)
    # Who opens it takes %2e for a dot and %2f for a slash.
    if any(part in ("", ".", "..") for part in unquote(path).removeprefix("/").split("/")):
        yield problem_at("spec.record.uri", record.uri, "use a path without empty parts, '.' and '..'")
    if not record.uri.startswith("file://"):
        if claim:
            fix = "is for a root file://… only; leave it out"
            yield problem_at("spec.record.persistentVolumeClaim", claim.claim_name, fix)
        return
    if claim is None:
        fix = "is missing; a root file://… needs the claim that holds it"
        yield Problem("spec.record.persistentVolumeClaim", "", fix)
    elif not f"{path}/".startswith(f"{claim.mount_path.rstrip('/')}/"):
        fix = f"use file://{claim.mount_path.rstrip('/')}/…, which is on the claim"
        yield problem_at("spec.record.uri", record.uri, fix)
    if claim and is_own_folder(claim.mount_path):
        fix = "is the operator's own; use another folder, such as /data"
        yield problem_at("spec.record.persistentVolumeClaim.mountPath", claim.mount_path, fix)


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


def _ray_version(run: PipelineRun) -> Iterator[Problem]:
    version = run.spec.ray.version
    if version and _numbers(version) < _numbers(OLDEST_RAY):
        fix = f"use an image with Ray {OLDEST_RAY} or later: before that a cluster cannot ask for a token"
        yield problem_at("spec.ray.version", version, fix)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _worker_groups(run: PipelineRun) -> Iterator[Problem]:
    if not any(group.replicas for group in run.spec.ray.workers):
        fix = "give at least one group with replicas of 1 or more; no task runs in the head or the runner"
        yield Problem("spec.ray.workers", "", fix)
    names = [group.name for group in run.spec.ray.workers]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield problem_at(f"spec.ray.workers[{index}].name", name, "give each group a name of its own")


def _ray_resources(run: PipelineRun) -> Iterator[Problem]:
    for index, group in enumerate(run.spec.ray.workers):
        for name in group.ray_resources:
            if name in _RAYS_OWN:
                path = f"spec.ray.workers[{index}].rayResources"
                yield Problem(path, repr(name), "is Ray's own, and follows from resources; leave it out")


def _deadlines(run: PipelineRun) -> Iterator[Problem]:
    deadlines = run.spec.deadlines
    drain, release = deadlines.drain_seconds, deadlines.release_seconds
    needed = 3 * (drain + SECONDS_TO_END)
    if release < needed:
        fix = (
            f"use at least {needed}, or a smaller drainSeconds than {drain}: the runner, then the Ray pods, "
            f"then the collector may each take that long and {SECONDS_TO_END} s more to end"
        )
        yield problem_at("spec.deadlines.releaseSeconds", release, fix)


RULES: Final[tuple[Rule, ...]] = (
    _name,
    _image,
    _source,
    _record,
    _parameters,
    _ray_version,
    _worker_groups,
    _ray_resources,
    _deadlines,
    *RESOURCE_RULES,
    *POD_RULES,
)
"""All of them, in the order in which their problems are told."""
