"""Finding runs: sealed records and live (or dead but unsealed) ones below a root."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound
from vaportrail.record.facts import build_facts
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.reading.stored import stored_facts
from vaportrail.record.run_facts import Facts
from vaportrail.record.seal.local_seal import is_alive, spools
from vaportrail.record.seal.unsealed_runs import unsealed_runs
from vaportrail.record.sealed_lines import row_blocks
from vaportrail.record.settings import spool_settings
from vaportrail.record.spooled import live_records
from vaportrail.record.versions.any_version import read_manifest
from vaportrail.storage import layout
from vaportrail.storage.store import is_remote, normalise_root, open_store

__all__ = ["list_runs", "open_run", "scan_runs"]


def open_run(uri: str) -> Run:
    """Open one record by its folder or URI; behind `vaportrail.open`."""
    place = normalise_root(uri)
    try:
        return _sealed(place)
    except RecordNotFound:
        if (stored := _stored_at(place)) is not None:
            return _stored(stored)
        spool = None if is_remote(place) else _spool_of(Path(place))
        if spool is not None:
            with suppress(RecordNotFound):
                return _unsealed(spool)
    try:
        # Somebody may have sealed it in between, and removed its spool.
        return _sealed(place)
    except RecordNotFound:
        raise RecordNotFound(
            f"there is no record at {uri}: it has no {layout.MANIFEST}, and neither a spool nor parts of it "
            "are left"
        ) from None


def _sealed(place: str) -> Run:
    store = open_store(place)
    raw = store.get(layout.MANIFEST, layout.MANIFEST_LIMIT)
    manifest = read_manifest(raw, f"{place}/{layout.MANIFEST}")
    return Run(place, Facts(manifest, lambda: row_blocks(store, manifest), place), manifest=manifest)


def _stored_at(record: str) -> RunSettings | None:
    """Return the run of a cluster whose record belongs at a place, if its parts wait in the same root."""
    parts = record.rsplit("/", 3)
    if len(parts) < 4 or not parts[0]:
        return None
    path = "/".join(parts[1:])
    return next((settings for settings in unsealed_runs(parts[0]) if settings.path == path), None)


def _stored(settings: RunSettings) -> Run:
    return Run(settings.record_uri, stored_facts(settings), stored=settings)


def _spool_of(record: Path) -> Path | None:
    """Return the spool of an unsealed record in the same root."""
    if len(record.parents) < 3:
        return None
    for spool in spools(str(record.parents[2])):
        with suppress(RecordError):  # what another one is does not matter here
            if spool_settings(spool).record_uri == str(record):
                return spool
    return None


def _unsealed(spool: Path) -> Run:
    settings = spool_settings(spool)
    facts = build_facts(live_records(spool))
    if facts.verdict.outcome is Outcome.UNFINISHED and not is_alive(spool):
        message = f"the runner died; seal what there is: vaportrail seal {facts.run.uid[:8]}"
        facts = facts.with_verdict(outcome=Outcome.RUNNER_LOST, message=message)
    return Run(settings.record_uri, facts, spool=spool)


def list_runs(root: str, *, pipeline: str | None = None) -> Iterator[Run]:
    """Yield runs below a root, newest first; behind `vaportrail.runs`.

    A record that cannot be read is left out, with a warning that says why.
    """
    for run in scan_runs(root, pipeline=pipeline):
        if isinstance(run, Run):
            yield run
        else:
            warnings.warn(f"left out: {run}", stacklevel=2)


def scan_runs(
    root: str, *, pipeline: str | None = None, named: Callable[[str], bool] = lambda folder: True
) -> Iterator[Run | RecordError]:
    """Yield runs below a root, newest first, and the error of each that cannot be read.

    Args:
        root: the record root.
        pipeline: only runs of this pipeline.
        named: only those whose folder's name it accepts; no others are opened.
    """
    place = normalise_root(root)
    try:
        store = open_store(place)
    except RecordNotFound:
        raise RecordNotFound(
            f"there is no record root {root} yet: start a run with vaportrail run FILE.py:PIPELINE, "
            "or say where records are with --record"
        ) from None
    names = [pipeline] if pipeline else store.folders(f"{layout.RUNS}/")
    found = [(run, name) for name in names for run in store.folders(f"{layout.RUNS}/{name}/")]
    problems: list[str] = []
    shipped = unsealed_runs(place, problems.append)
    waiting: dict[tuple[str, str], Callable[[], Run]]
    waiting = {_directory(settings): partial(_stored, settings) for settings in shipped}
    theirs = {settings.identity.uid for settings in shipped}
    for spool in [] if is_remote(place) else spools(place):
        if spool.name in theirs:
            continue
        try:
            waiting[_directory(spool_settings(spool))] = partial(_unsealed, spool)
        except RecordNotFound:  # somebody has just sealed it
            continue
        except RecordError as error:
            yield error
    if is_remote(place):  # else its spool's folder has told the same
        yield from map(RecordError, problems)
    there = {*found, *(key for key in waiting if not pipeline or key[1] == pipeline)}
    for key in sorted((key for key in there if named(key[0])), reverse=True):
        try:
            yield _one(place, key, waiting.get(key))
        except RecordError as error:
            yield error


def _directory(settings: RunSettings) -> tuple[str, str]:
    _, name, folder = settings.path.split("/")
    return folder, name


def _one(root: str, key: tuple[str, str], unsealed: Callable[[], Run] | None) -> Run:
    folder, name = key
    place = f"{root}/{layout.RUNS}/{name}/{folder}"
    try:
        return _sealed(place)
    except RecordNotFound:
        if unsealed is None:
            raise RecordNotFound(f"{place} was never sealed, and its spool is gone") from None
    try:
        return unsealed()
    except RecordNotFound:  # somebody has just sealed it
        return _sealed(place)
