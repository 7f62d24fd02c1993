"""Runs of clusters that wait for a seal by hand: which there are, and whether they are over.

Their pods are out of sight here. What tells that they still live is that parts still arrive: while a
runner has nothing to say, its shipper posts its count again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from vaportrail.contract.pod_environment import SPOOL_FOLDER
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, RunActive
from vaportrail.record.seal.parts import part_paths, spool_prefix
from vaportrail.record.settings import stored_settings
from vaportrail.storage import layout
from vaportrail.storage.store import Store, is_outage, is_remote, normalise_root, open_store

__all__ = ["check_quiet", "is_sealed", "unsealed_runs"]

QUIET_SECONDS: Final = 600
"""A run whose newest part is older sends no more: it is several times the longest silence of a shipper."""
_UUID7: Final = re.compile(r"_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\.")


def unsealed_runs(root: str, problem: Callable[[str], None] = lambda message: None) -> list[RunSettings]:
    """Return the runs of clusters whose parts wait below a root for a seal, oldest first.

    Args:
        root: the record root.
        problem: told of each run that is left out because its settings cannot be read.
    """
    place = normalise_root(root)
    try:
        store = open_store(place)
    except RecordNotFound:
        return []
    found: list[RunSettings] = []
    for uid in store.folders(f"{layout.SPOOL}/"):
        try:
            settings = stored_settings(store, uid)
        except RecordNotFound:
            continue
        except RecordError as error:
            if is_outage(error):
                raise
            problem(str(error))
            continue
        # A laptop's spools lie there, too.
        if settings.spool == f"{SPOOL_FOLDER}/{uid}":
            found.append(replace(settings, root=place))
    return sorted(found, key=lambda settings: settings.identity.created_unix_nano)


def is_sealed(settings: RunSettings) -> bool:
    """Return whether the record of a run stands, though its parts are there."""
    return open_store(settings.root).size(f"{settings.path}/{layout.MANIFEST}") is not None


def check_quiet(settings: RunSettings, now_unix_nano: int) -> None:
    """See that something has arrived of a run, and nothing for a while.

    Raises:
        RunActive: its newest part is younger than `QUIET_SECONDS`, or no part tells of its end: a run
            that waits for its collector looks like one that died before its first word.
    """
    name = settings.identity.name
    newest = _newest(open_store(settings.root), settings)
    if not newest:
        raise RunActive(
            f"run {name} may still be alive: no part says when something of it arrived; "
            "seal it when its pods are gone, with --force"
        )
    age = (now_unix_nano - newest) / 1e9
    if age < QUIET_SECONDS:
        raise RunActive(
            f"run {name} may still be alive: its newest part is {max(0, age):.0f} s old; "
            f"seal it when its pods are gone and nothing has arrived for {QUIET_SECONDS} s, or use --force"
        )


def _newest(store: Store, settings: RunSettings) -> int:
    """Return when the newest part was stored, nanoseconds since the epoch; 0 where nothing tells."""
    paths = part_paths(store, spool_prefix(settings.identity.uid))
    if is_remote(settings.root):
        return max((_named_time(path) for path in paths), default=0)
    return max((Path(settings.root, path).lstat().st_mtime_ns for path in paths), default=0)


def _named_time(path: str) -> int:
    """Return the time in a part's name, which the collector ends with a UUID of version 7."""
    found = _UUID7.search(path)
    return int(found[1] + found[2], 16) * 10**6 if found else 0
