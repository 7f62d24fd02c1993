"""Clearing up once a record stands: the parts that are in it, and what writers left that were killed.

Whatever becomes of that, the record is sealed. So nothing here fails: what stays is told, and a later
seal of the run finds it, for `run.json` goes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.seal.parts import spool_prefix
from vaportrail.record.seal.parts_plan import PartsPlan
from vaportrail.storage import layout
from vaportrail.storage.store import ObjectStore, is_remote

__all__ = ["clear_parts", "clear_record"]

CLEAR_SECONDS: Final = 60.0
"""How long parts are removed: the sealer's pod has to answer before its own time is over."""
_AT_ONCE: Final = 1000
"""As many names as S3 takes in a request."""
_PROBE: Final = "probe"
"""What a runner that died while it tried the store may have left."""


def clear_record(record: ObjectStore, say: Callable[[str], None]) -> None:
    """Remove what was left in a record by processes that were killed while they wrote to it.

    Call it when the record stands: a sealer that still writes then fails, and finds the record.

    Args:
        record: the store, opened at the record's own folder.
        say: is told what stays, and why.
    """
    try:
        record.discard_unfinished(layout.RECORD_FILE)
    except RecordError as error:
        say(f"what a killed process left in the record stays: {error}")


def clear_parts(
    store: ObjectStore,
    settings: RunSettings,
    plan: PartsPlan | None = None,
    *,
    say: Callable[[str], None],
    seconds: Callable[[], float],
) -> int:
    """Remove the parts of a sealed run that its plan names; return how many other files lie there.

    Args:
        store: the record root.
        settings: the run; its root in its one form.
        plan: the one that was carried out; where it is not known, the one that stands there counts.
        say: is told what stays, and why.
        seconds: a clock; after `CLEAR_SECONDS` no more is removed.
    """
    root, uid = settings.root, settings.identity.uid
    prefix = spool_prefix(uid)
    place = f"{root}/{prefix}"
    late = 0
    try:
        own = [f"{prefix}{name}" for name in (_PROBE, layout.RUN_FILE)]
        plan_path = f"{prefix}{layout.PLAN}"
        store.discard_unfinished(re.compile("|".join(map(re.escape, [*own, plan_path]))), prefix)
        there = dict(store.entries(prefix))
        planned = _sizes(plan) if plan else _planned(store, plan_path)
        parts = [path for path, size in there.items() if planned.get(path) == size]
        late = len(there.keys() - {*parts, *own, plan_path})
        if late:
            files = "1 file" if late == 1 else f"{late} files"
            say(f"{files} arrived after the seal was planned: not in the record, kept in {place}")
        _remove(store, parts, seconds)
        for path in own if late else [plan_path, *own]:
            store.delete(path)
    except RecordError as error:
        again = f"vaportrail seal {uid} --record {root}"
        say(f"not all parts in {place} are removed: {error}; {again} removes them")
    if not is_remote(root):
        for folder in (Path(root, prefix), Path(root, layout.SPOOL)):
            with suppress(OSError):
                folder.rmdir()
    return late


def _planned(store: ObjectStore, path: str) -> dict[str, int]:
    """Return the size of each part that the plan names; by the plan of another version there is none."""
    with suppress(RecordNotFound, ValidationError):
        return _sizes(PartsPlan.model_validate_json(store.get(path, layout.PLAN_LIMIT)))
    return {}


def _sizes(plan: PartsPlan) -> dict[str, int]:
    return {part.path: part.size for part in plan.parts}


def _remove(store: ObjectStore, paths: Sequence[str], seconds: Callable[[], float]) -> None:
    begun = seconds()
    for first in range(0, len(paths), _AT_ONCE):
        if seconds() - begun > CLEAR_SECONDS:
            raise RecordError(f"it took over {CLEAR_SECONDS:.0f} s")
        store.delete_all(paths[first : first + _AT_ONCE])
