"""The settings of a run's own store, where its pods have them: a mounted Secret, and one variable.

What stands in the environment is the user's: keys of other accounts, an identity of the cloud. It is
neither read for the record's own bucket nor changed. On a machine without these settings the
environment counts for every store, as it does for each provider's own tools.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vaportrail.contract.pod_environment import STORE_VARIABLE
from vaportrail.contract.store_access import StoreAccess
from vaportrail.errors import UsageError

__all__ = ["Keys", "access_to", "given_access", "keys_of", "keys_version", "store_keys"]

Keys = Mapping[str, str]
"""What a Secret says, by the names of the provider's environment variables."""
_LARGEST: Final = 2**20
"""Bytes: all of a Secret has no more."""
_TRIES: Final = 3
_NEEDED: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def given_access() -> StoreAccess | None:
    """Return how this process reaches its run's store; None where it goes by its environment."""
    text = os.environ.get(STORE_VARIABLE, "")
    return _read(text) if text else None


@lru_cache(maxsize=8)
def _read(text: str) -> StoreAccess:
    try:
        return StoreAccess.from_json(text)
    except ValueError as error:
        raise UsageError(f"{STORE_VARIABLE} is not what the operator sets: {error}") from None


def access_to(root: str) -> StoreAccess | None:
    """Return the settings of the store at `root` if it is the run's own: that of the same bucket."""
    access = given_access()
    if access is None or urlsplit(access.root)[:2] != urlsplit(root)[:2]:
        return None
    return access


def keys_of(access: StoreAccess) -> Keys:
    """Return what the mounted Secret says now; nothing where there is none.

    Raises:
        UsageError: it does not have what a store is asked with; names the Secret and what to call its keys.
    """
    if not access.secret:
        return {}
    keys = dict(_files(Path(access.folder)))
    missing = [name for name in _NEEDED if not keys.get(name)]
    if missing and not ("AWS_ROLE_ARN" in keys and "AWS_WEB_IDENTITY_TOKEN_FILE" in keys):
        there = ", ".join(sorted(keys)) or "nothing"
        raise UsageError(
            f"the Secret {access.secret} for the record's store has no {' and no '.join(missing)} "
            f"(it has {there}): call its keys as the provider's own tools call the variables"
        )
    return keys


def store_keys() -> Keys:
    """Return all that the mounted Secret says, also what no store asks for: none of it may be recorded."""
    access = given_access()
    return dict(_files(Path(access.folder))) if access and access.secret else {}


def keys_version() -> str:
    """Return what differs once the Secret was replaced: the folder that the kubelet's link names.

    It costs a microsecond or two, and next to nothing where no Secret is mounted.
    """
    access = given_access()
    return _current(access.folder) if access and access.secret else ""


def _current(folder: str | Path) -> str:
    """Return the name of the folder in a mounted Secret that holds its files; empty in a plain folder."""
    try:
        # A path object takes several times as long.
        return os.readlink(f"{folder}/..data")  # noqa: PTH115
    except OSError:
        return ""


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the keys of a mounted Secret, all of one moment: the kubelet replaces them by one step."""
    for _ in range(_TRIES):
        version = _current(folder)
        found = _files_once(folder / version)
        if version == _current(folder):
            break
    yield from found.items()


def _files_once(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            # The kubelet's own entries begin so.
            if not entry.name.startswith("..") and entry.is_file() and entry.stat().st_size <= _LARGEST:
                raw = Path(entry.path).read_bytes()
                found[entry.name] = raw.decode("utf-8", "surrogateescape").rstrip("\n")
    return found
