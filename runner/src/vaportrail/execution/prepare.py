"""A run before it begins: everything checked that can be, who it is and where its record lies fixed."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vaportrail.authoring.callables import place_of
from vaportrail.authoring.parameters import Parameters
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError, UsageError
from vaportrail.execution.alone import refuse_within
from vaportrail.execution.returned import Returned
from vaportrail.execution.shared_identity import without_secrets
from vaportrail.storage import layout
from vaportrail.storage.private import folder_below, private_folder
from vaportrail.storage.probe import probe
from vaportrail.storage.store import is_remote, normalise_root, open_store
from vaportrail.telemetry.redact import redactor
from vaportrail.telemetry.values import clean

__all__ = ["Prepared", "keep_to_oneself", "prepare", "prepare_fixed"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that was checked and fixed; nothing has started yet."""

    settings: RunSettings
    pipeline: Pipeline[..., Any]
    arguments: Mapping[str, Any]
    returned: Returned = field(default_factory=Returned)
    """What its body gives back, once it has."""


def prepare(
    pipeline: Pipeline[..., Any],
    parameters: Mapping[str, Any],
    *,
    root: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    entrypoint: str = "",
    scheduled_time: str = "",
    clock: Callable[[], int] = time.time_ns,
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Prepared:
    """Check everything that can be checked before anything starts, and fix who the run is.

    Raises:
        UsageError: a parameter, a name or the record root is not right.
        RecordError: the record root cannot be written, or is not safe to write to.
    """
    refuse_within(pipeline.name)
    arguments, described = _validated(pipeline, parameters)
    record_root = normalise_root(root or os.environ.get("VAPORTRAIL_RECORD") or layout.DEFAULT_ROOT)
    created, uid = clock(), new_uid()
    for tag, value in (tags or {}).items():
        if not isinstance(value, str):
            raise UsageError(f"tag {tag!r}: {value!r} is not a str")
    named = RunIdentity(
        uid=uid,
        pipeline=layout.check_pipeline_name(pipeline.name),
        name=layout.check_value_name(name) if name else layout.directory_name(uid, created),
        created_unix_nano=created,
        parameters=described,
        # What stands on a command line need not be Unicode.
        tags={clean(tag): clean(value) for tag, value in (tags or {}).items()},
        entrypoint=clean(entrypoint) or place_of(pipeline.fn),
        scheduled_time=scheduled_time,
    )
    identity = without_secrets(named)
    local_root = Path(layout.DEFAULT_ROOT if is_remote(record_root) else record_root)
    spool = local_root.absolute() / layout.SPOOL / uid
    _check_writable(local_root)
    if is_remote(record_root):
        probe(open_store(record_root), f"{layout.SPOOL}/{uid}")
    settings = RunSettings(
        identity=identity, spool=str(spool), root=record_root, path=layout.run_path(identity)
    )
    return Prepared(settings, pipeline, arguments)


def prepare_fixed(pipeline: Pipeline[..., Any], settings: RunSettings) -> Prepared:
    """Check the parameters of a run whose identity and place were fixed before its code was known.

    Raises:
        ParameterError: one is unknown, missing or ill-typed.
    """
    arguments, described = _validated(pipeline, settings.identity.parameters)
    identity = without_secrets(replace(settings.identity, parameters=described))
    return Prepared(replace(settings, identity=identity), pipeline, arguments)


def _validated(
    pipeline: Pipeline[..., Any], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of the pipeline's function, and what the record says of them."""
    checked = Parameters(pipeline.name, pipeline.fn)
    arguments = checked.validate(parameters)
    secrets = redactor(os.environ)
    if secrets is None:
        return arguments, checked.describe(arguments)
    return arguments, secrets.tree(checked.describe(arguments, secrets))


def _check_writable(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not os.access(root, os.W_OK | os.X_OK):
            raise PermissionError(13, "it is not writable")
    except OSError as error:
        raise UsageError(
            f"record root {str(root)!r} cannot be written: {error.strerror}; give another with --record"
        ) from None


def keep_to_oneself(settings: RunSettings) -> None:
    """Make the record's folder, closed to other users until it is sealed; for a run on this machine.

    Raises:
        RecordError: it cannot be made.
    """
    if is_remote(settings.root):
        return
    try:
        folder_below(Path(settings.root), settings.path.rpartition("/")[0])
        private_folder(Path(settings.record_uri))
    except OSError as error:
        raise RecordError(
            f"the record's folder {settings.record_uri} cannot be made: {error.strerror or error}"
        ) from error
