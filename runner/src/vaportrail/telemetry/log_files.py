"""A logged file on its way into the record's store, with the event that names it."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from vaportrail.errors import UsageError
from vaportrail.storage.artifacts import Artifact, store_artifact
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.log_types import FileKind
from vaportrail.telemetry.recorder import Recorder

__all__ = ["record_artifact", "refuse_folder", "unrecorded_artifact"]


def refuse_folder(name: str, source: Any, kind: FileKind) -> None:
    """Raise `UsageError` where what is to be logged as one file is a folder."""
    if isinstance(source, str | PathLike) and Path(source).is_dir():
        raise UsageError(
            f"{kind} {name!r}: {os.fspath(source)!r} is a folder; make one file of it: "
            f"log.artifact({name + '.zip'!r}, shutil.make_archive({name!r}, 'zip', folder)), "
            "or log each of its files"
        )


def record_artifact(
    recorder: Recorder, name: str, source: Any, media_type: str | None, kind: FileKind
) -> Artifact:
    """Store a file in the run's record and write the event that names it."""
    stored = store_artifact(recorder.settings.record_uri, name, source, media_type=media_type, kind=kind)
    values = {
        c.VALUE_NAME: name,
        c.ARTIFACT_KIND: kind,
        c.ARTIFACT_SHA256: stored.sha256,
        c.ARTIFACT_SIZE: stored.size,
        c.ARTIFACT_MEDIA_TYPE: stored.media_type,
    }
    recorder.log(event=c.EVENT_ARTIFACT, values=values)
    return stored


def unrecorded_artifact(name: str, source: Any, media_type: str | None) -> Artifact:
    """Store what is logged outside a run until the process ends, so that code goes on."""
    return store_artifact(_unrecorded_folder().name, name, source, media_type=media_type)


@lru_cache(maxsize=1)
def _unrecorded_folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="vaportrail-unrecorded-")
    atexit.register(folder.cleanup)
    return folder
