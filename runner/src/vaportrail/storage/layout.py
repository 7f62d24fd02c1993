"""Names and places: where things lie below a record root."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from unicodedata import category

from vaportrail.contract.otlp_signals import SIGNALS
from vaportrail.contract.run_identity import RunIdentity
from vaportrail.errors import UsageError

__all__ = ["artifact_path", "check_pipeline_name", "check_value_name", "directory_name", "run_path"]

DEFAULT_ROOT: Final = "vaportrail-runs"
RUNS: Final = "runs"
SPOOL: Final = "spool"
MANIFEST: Final = "manifest.json"
MANIFEST_HASH: Final = "manifest.sha256"
MANIFEST_SIGNATURE: Final = "manifest.sig"
"""A reserved name: a signature of the manifest comes after the seal, and is no file that was added to it."""
ARTIFACTS: Final = "artifacts"
PLAN: Final = "seal-plan.json"
RUN_FILE: Final = "run.json"
LOCK: Final = "runner.lock"
MANIFEST_LIMIT: Final = 512 * 2**20
"""Bytes of a manifest that a reader takes: of today's 256 KiB, but older ones hold every task."""
MANIFEST_HASH_LIMIT: Final = 2**10
"""Bytes of a manifest's hash that a reader takes."""
RUN_FILE_LIMIT: Final = 64 * 2**20
"""Bytes of a run's settings that a reader takes."""
PLAN_LIMIT: Final = 512 * 2**20
"""Bytes of a seal plan that a sealer takes."""
ARTIFACT_FILE: Final = re.compile(rf"{ARTIFACTS}/[0-9a-f]{{64}}")
"""Where an artifact lies in its record."""
_LINES: Final = "|".join([*(signal.file for signal in SIGNALS), "tasks", "files"])
RECORD_FILE: Final = re.compile(
    rf"{ARTIFACT_FILE.pattern}|({_LINES})-\d{{4,}}\.jsonl\.gz|manifest\.(json|sha256)"
)
"""Where anything lies in a record that is a file of it."""

_PIPELINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_VALUE_NAME_LIMIT = 250
_JOINERS: Final = "\u200c\u200d"
"""What joins letters or keeps them apart in Persian, in scripts of India and in emoji."""


def check_pipeline_name(name: str) -> str:
    """Return `name` if it can be a segment of a record's path, else raise `UsageError`."""
    if not _PIPELINE_NAME.fullmatch(name):
        raise UsageError(
            f"pipeline name {name!r} cannot be a folder of records: use 1 to 63 letters, digits, "
            "'.', '_' or '-', starting with a letter or a digit"
        )
    return name


def check_value_name(name: str) -> str:
    """Return `name` if it can name a logged value, else raise `UsageError`.

    A name may have folders ("digits/0-images.png") but never leaves the folder it is unpacked in.
    """
    if not isinstance(name, str):
        raise UsageError(f"the name of a logged value is a str, not {type(name).__name__}: {name!r}")
    _check_name(name)
    return name


@lru_cache(maxsize=1024)
def _check_name(name: str) -> None:
    # Names are few, and metrics come by thousands.
    parts = name.split("/")
    printable = _visible(name) and "\\" not in name
    if not name or len(name) > _VALUE_NAME_LIMIT or not printable or any(p in ("", ".", "..") for p in parts):
        raise UsageError(
            f"{name[:80]!r} cannot name a logged value: use 1 to {_VALUE_NAME_LIMIT} printable "
            "characters without '\\', and no empty, '.' or '..' part between '/'"
        )


def _visible(name: str) -> bool:
    """Return whether a name can be shown as it is: its spaces and joined letters are, bidi marks are not."""
    return all(letter.isprintable() or letter in _JOINERS or category(letter) == "Zs" for letter in name)


def directory_name(uid: str, created_unix_nano: int) -> str:
    """Return a record's folder name, `<YYYYMMDDThhmmssZ>-<id8>`."""
    stamp = datetime.fromtimestamp(created_unix_nano // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{uid[:8]}"


def run_path(identity: RunIdentity) -> str:
    """Return the record's place below its root."""
    name = directory_name(identity.uid, identity.created_unix_nano)
    return f"{RUNS}/{check_pipeline_name(identity.pipeline)}/{name}"


def artifact_path(sha256: str) -> str:
    """Return an artifact's place within its record; it is named by its content."""
    return f"{ARTIFACTS}/{sha256}"
