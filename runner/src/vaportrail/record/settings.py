"""`run.json`, what a spool says of its run: read as something that anybody may have written.

Where a run's record goes follows from who the run is and from the root that was asked for, and never
from what the file says of it.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import RecordError, RecordNotFound, UsageError
from vaportrail.record.sound import Unsound, parse, shallow
from vaportrail.storage import layout
from vaportrail.storage.private import folder_below
from vaportrail.storage.regular import read_regular
from vaportrail.storage.store import ObjectStore, Store, is_remote, open_store

__all__ = ["open_record", "parse_settings", "spool_settings", "stored_settings"]

_TYPES: dict[str, type] = {
    "uid": str, "pipeline": str, "name": str, "created_unix_nano": int, "parameters": dict, "tags": dict,
    "entrypoint": str, "spool": str, "root": str, "path": str, "incarnation": int, "identity": dict,
    "scheduled_time": str, "previous_scheduled_time": str,
}  # fmt: skip


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def parse_settings(raw: bytes, uid: str) -> RunSettings:
    """Return the settings of the run `uid`.

    Raises:
        Unsound: these are not settings, not of this run, or they lead somewhere else.
    """
    said = _object(parse(raw), RunSettings)
    identity = RunIdentity(**_object(said["identity"], RunIdentity))
    settings = RunSettings(**{**said, "identity": identity})
    if identity.uid != uid:
        raise Unsound(f"it is of the run {identity.uid[:40]!r}, and the folder is {uid!r}")
    if not 0 <= identity.created_unix_nano < 2**63:
        raise Unsound(f"created_unix_nano cannot be {str(identity.created_unix_nano)[:40]}")
    if not all(type(tag) is str for tag in identity.tags.values()):
        raise Unsound("a tag is no text")
    if not shallow(identity.parameters):
        raise Unsound("its parameters are nested too deeply")
    for name in _TIMES:
        if (said_time := getattr(identity, name)) and not _TIME.fullmatch(said_time):
            raise Unsound(f"{name} cannot be {said_time[:40]!r}")
    try:
        path = layout.run_path(identity)
    except UsageError as error:
        raise Unsound(str(error)) from None
    if settings.path != path:
        raise Unsound(f"its record cannot lie in {settings.path[:200]!r}, only in {path!r}")
    return settings


def _object(found: Any, kind: type) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    if type(found) is not dict or not found.keys() <= names:
        raise Unsound("it holds something else than a run's settings")
    for name, value in found.items():
        if type(value) is not _TYPES[name]:
            raise Unsound(f"{name} cannot be {str(value)[:40]!r}")
    needed = {each.name for each in fields(kind)} - _OPTIONAL
    if missing := needed - found.keys():
        raise Unsound(f"it does not say {', '.join(sorted(missing))}")
    return found


_TIMES = ("scheduled_time", "previous_scheduled_time")
_OPTIONAL = {"parameters", "tags", "entrypoint", "incarnation", *_TIMES}


def open_record(settings: RunSettings) -> ObjectStore:
    """Open the place of a run's record, made where it is missing.

    Raises:
        RecordError: below the root a link leads elsewhere, or a folder cannot be made.
    """
    if not is_remote(settings.root):
        try:
            folder_below(Path(settings.root), settings.path)
        except OSError as error:
            raise RecordError(f"the record's folder {settings.record_uri} cannot be made: {error}") from error
    return open_store(settings.record_uri)


def spool_settings(folder: Path) -> RunSettings:
    """Return what run a spool folder of this machine belongs to.

    Raises:
        RecordNotFound: it is no spool.
        RecordError: its `run.json` is damaged, or not to be believed.
    """
    path = folder / layout.RUN_FILE
    try:
        if folder.is_symlink():
            raise OSError("the folder is a link")
        return parse_settings(read_regular(path, layout.RUN_FILE_LIMIT), folder.name)
    except FileNotFoundError:
        raise RecordNotFound(f"{folder} is not the spool of a run: it has no {layout.RUN_FILE}") from None
    except (OSError, Unsound) as error:
        raise RecordError(f"{os.fspath(path)} is damaged: {error}") from error


def stored_settings(store: Store, uid: str) -> RunSettings:
    """Return the settings of a run of a cluster, which its runner left in the record root.

    Raises:
        RecordNotFound: there are none.
        RecordError: they are damaged, or not to be believed.
    """
    path = f"{layout.SPOOL}/{uid}/{layout.RUN_FILE}"
    try:
        return parse_settings(store.get(path, layout.RUN_FILE_LIMIT), uid)
    except Unsound as error:
        raise RecordError(f"{path} is damaged: {error}") from error
