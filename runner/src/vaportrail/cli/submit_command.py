"""`vaportrail submit`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from vaportrail.cli.cluster_options import context_option, namespace_option
from vaportrail.cli.screen import say, say_json
from vaportrail.cli.text_file import read_text
from vaportrail.errors import UsageError, VaportrailError

__all__ = ["command"]


@click.command("submit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE",
              help="A parameter: JSON, lists and mappings also in YAML, else text; wins over the file's. "
              "Repeatable.")  # fmt: skip
@click.option("--name", metavar="NAME", help="What to call the run, instead of the file's metadata.name.")
@click.option("--source", "folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Pack this folder, put it below the record root and run it.")  # fmt: skip
@namespace_option
@context_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    file: Path, assignments: tuple[str, ...], name: str | None, folder: Path | None,
    namespace: str | None, context: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Create a PipelineRun in a cluster from a FILE of YAML or JSON.

    Everything that is wrong with the file is told at once, and nothing is created then. The cluster
    is the kubeconfig's, or the one that this runs in.

    The pipeline's annotations are not known here: a parameter that is a text, but looks like a number,
    true, false or null, is written in quotes: -p 'version="1.10"'.

    With --source the code comes from a folder: it is packed, named by its content and uploaded once,
    with the credentials and the AWS_ENDPOINT_URL of this shell. Left out are version control,
    environments, caches, records, .env files and what git ignores; submodules are packed, too.
    """
    from vaportrail.crd.validation.validate import parse_pipelinerun
    from vaportrail.submit.kubernetes_api import PipelineRuns

    manifest = _manifest(file, assignments, name, namespace)
    archive = None
    if folder is not None:
        from vaportrail.submit.packing import pack

        archive = pack(folder)
        _set_source(manifest, archive.path, archive.sha256)
    try:
        run = parse_pipelinerun(manifest)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    with PipelineRuns(namespace or run.metadata.namespace or None, context) as runs:
        if archive is not None:
            _upload(archive, run.spec.record.uri, run.spec.record.endpoint, run.spec.record.region)
        made = runs.create(manifest)
    _tell(made, run.spec.pipeline, run.spec.record.uri, as_json=as_json)
    return 0


def _manifest(
    file: Path, assignments: tuple[str, ...], name: str | None, namespace: str | None
) -> dict[str, Any]:
    from vaportrail.crd.validation.validate import load_document

    try:
        manifest = load_document(read_text(file))
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    if manifest.get("kind") == "PipelineSchedule":
        raise UsageError(
            f"{file}: this is a PipelineSchedule, and the operator makes no runs by schedules yet; "
            f"'vaportrail schedule next {file}' shows when they are due, 'vaportrail run -f {file}' runs its "
            "template once, here"
        )
    manifest.pop("status", None)
    metadata, spec = (manifest.setdefault(key, {}) for key in ("metadata", "spec"))
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return manifest
    if name is not None:
        metadata.pop("generateName", None)
        metadata["name"] = name
    if namespace is not None and metadata.get("namespace", namespace) != namespace:
        raise UsageError(
            f"--namespace {namespace!r} is not the file's, metadata.namespace: {metadata['namespace']!r}; "
            "give one of them"
        )
    given, kept = _given(assignments), spec.get("parameters") or {}
    if given and isinstance(kept, dict):
        spec["parameters"] = {**kept, **given}
    return manifest


def _given(assignments: tuple[str, ...]) -> dict[str, Any]:
    from vaportrail.authoring.parameters import parse_assignments
    from vaportrail.crd.documents import load_value

    given: dict[str, Any] = {}
    for name, text in parse_assignments(assignments).items():
        try:
            given[name] = load_value(text)
        except UsageError as error:
            raise UsageError(f"-p {name}: {error}") from None
    return given


def _set_source(manifest: dict[str, Any], path: str, sha256: str) -> None:
    spec = manifest["spec"]
    if not isinstance(spec, dict):
        return
    if spec.get("source"):
        raise UsageError("--source: the file has a spec.source already; leave one of them out")
    record = spec.get("record")
    root = record.get("uri") if isinstance(record, dict) else None
    if isinstance(root, str) and root.startswith("file://"):
        raise UsageError(
            f"--source: {root} is a volume of the cluster, which cannot be written from here; "
            "use a record root in an object store, or put the code in the image"
        )
    if isinstance(root, str):
        spec["source"] = {"archive": {"uri": f"{root.rstrip('/')}/{path}", "sha256": sha256}}


def _upload(archive: Any, root: str, endpoint: str, region: str) -> None:
    from vaportrail.storage.store import normalise_root, open_store
    from vaportrail.submit.packing import upload

    # The shell's own settings win: from here the bucket may have another address than from the pods.
    for variable, value in (("AWS_ENDPOINT_URL", endpoint), ("AWS_REGION", region)):
        if value:
            os.environ.setdefault(variable, value)
    new = upload(archive, open_store(normalise_root(root)))
    said = f"{archive.files} files, {len(archive.content) / 1024:.0f} KiB"
    say(f"{'uploaded' if new else 'already there:'} {archive.path}  ({said})", err=True)


def _tell(made: dict[str, Any], pipeline: str, root: str, *, as_json: bool) -> None:
    from vaportrail.crd.pipelinerun import Metadata
    from vaportrail.storage.layout import RUNS, directory_name

    metadata = Metadata.model_validate(made["metadata"])
    if metadata.creation_timestamp is None:
        raise VaportrailError("the cluster's answer does not say when the run was created")
    folder = directory_name(metadata.uid, int(metadata.creation_timestamp.timestamp()) * 10**9)
    record = f"{root.rstrip('/')}/{RUNS}/{pipeline}/{folder}"
    name, namespace = metadata.name, metadata.namespace
    if as_json:
        words = {"name": name, "namespace": namespace, "uid": metadata.uid, "record": record}
        say_json(words)
        return
    say(f"pipelinerun.vaportrail.dev/{name} created in namespace {namespace}")
    say(f"record      {record}")
    say(f"status      kubectl get pipelineruns.vaportrail.dev {name} --namespace {namespace}")
    say(f"watch       vaportrail watch {record}")
    say(f"cancel      vaportrail cancel {name} --namespace {namespace}")
