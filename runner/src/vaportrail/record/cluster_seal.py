"""Sealing a run of a cluster: from the collector's parts in the record root to the record.

Every step can be repeated by whoever comes next: what is sealed is fixed in `seal-plan.json` first,
the same plan gives the same bytes, and a record that stands already is answered from.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from vaportrail.contract import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.handover import SPOOL_FOLDER, SealAnswer, SealRequest
from vaportrail.record.gather import Gathered
from vaportrail.record.manifest import Manifest, hash_line, read_manifest
from vaportrail.record.parts import fetch_all, local_name, part_paths, read_part, spool_prefix
from vaportrail.record.plan import ArtifactEntry, Part, plan_spool, stored_artifacts
from vaportrail.record.seal import SealResult, carry_out
from vaportrail.record.word import OperatorWord, word_of
from vaportrail.storage import layout
from vaportrail.storage.store import Store, is_remote, normalise_root, open_store

__all__ = ["seal_run", "unsealed_runs"]

_AT_ONCE: Final = 8


class PartsPlan(BaseModel):
    """Everything that the seal of a cluster's run depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    settings: RunSettings
    sealed_at_unix_nano: int
    parts: list[Part]
    artifacts: list[ArtifactEntry]
    word: OperatorWord


@dataclass(slots=True)
class _Steps:
    """Tells of each step as it begins, and keeps how long it took."""

    say: Callable[[str], None]
    clock: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = self.clock()
        yield
        self.seconds[name] = round(self.clock() - begun, 3)


def seal_run(
    request: SealRequest,
    *,
    clock: Callable[[], int] = time.time_ns,
    seconds: Callable[[], float] = time.monotonic,
    progress: Callable[[str], None] = lambda line: None,
) -> SealAnswer:
    """Seal a run whose pods are gone, and remove its parts once the record stands.

    Args:
        request: which run, where its record belongs, and what the operator says of it.
        clock: nanoseconds since the epoch.
        seconds: measures the steps.
        progress: is told what is being done.

    Raises:
        SealConflict: something different stands where the record belongs.
        RecordError: the parts or the store cannot be read or written.
        UsageError: the request is wrong.
    """
    root = normalise_root(request.root)
    settings = replace(request.settings, root=root)
    store = open_store(root, create=True)
    record = open_store(settings.record_uri, create=True)
    steps = _Steps(progress, seconds)
    result = _standing(record, settings)
    if result is None:
        result = _seal(settings, word_of(request), store, record, clock, steps)
    else:
        progress("the record stands already")
    with steps("clean"):
        _clean(store, root, spool_prefix(settings.identity.uid))
    return _answer(settings, result, steps.seconds)


def unsealed_runs(root: str) -> list[RunSettings]:
    """Return the runs of clusters whose parts wait below a root for a seal, oldest first."""
    place = normalise_root(root)
    try:
        store = open_store(place)
    except RecordNotFound:
        return []
    found: list[RunSettings] = []
    for uid in store.folders(f"{layout.SPOOL}/"):
        try:
            raw = store.get(f"{spool_prefix(uid)}{layout.RUN_FILE}")
            settings = RunSettings.from_json(raw.decode())
        except (RecordNotFound, ValueError):
            continue
        # A laptop's spools lie there, too.
        if settings.spool == f"{SPOOL_FOLDER}/{uid}":
            found.append(replace(settings, root=place))
    return sorted(found, key=lambda settings: settings.identity.created_unix_nano)


def _seal(
    settings: RunSettings,
    word: OperatorWord,
    store: Store,
    record: Store,
    clock: Callable[[], int],
    steps: _Steps,
) -> SealResult:
    with tempfile.TemporaryDirectory(prefix="vaportrail-parts-") as folder:
        parts, spool = Path(folder, "parts"), Path(folder, "spool")
        parts.mkdir()
        spool.mkdir()
        with steps("plan"):
            plan = _plan(settings, word, store, record, parts, clock)
        steps.say(f"{len(plan.parts)} parts, {sum(part.size for part in plan.parts)} bytes")
        with steps("gather"):
            gathered, unreadable = _gather(plan, parts, spool, steps.say)
        with steps("write"):
            local = open_store(str(spool))
            seal_plan = plan_spool(
                plan.settings,
                local,
                "",
                plan.artifacts,
                plan.sealed_at_unix_nano,
                counts=gathered.counts,
                unreadable_parts=unreadable,
                word=plan.word,
            )
            return carry_out(seal_plan, local, record, progress=steps.say)


def _plan(
    settings: RunSettings,
    word: OperatorWord,
    store: Store,
    record: Store,
    folder: Path,
    clock: Callable[[], int],
) -> PartsPlan:
    """Return the plan that stands, or fix one; its parts lie in `folder` then."""
    prefix = spool_prefix(settings.identity.uid)
    path = f"{prefix}{layout.PLAN}"
    here: dict[str, Part] = {}
    if store.size(path) is None:
        here = fetch_all(store, ((part, None) for part in part_paths(store, prefix)), folder)
        plan = PartsPlan(
            settings=settings,
            sealed_at_unix_nano=clock(),
            parts=list(here.values()),
            artifacts=stored_artifacts(record),
            word=word,
        )
        if store.create(path, plan.model_dump_json(indent=1).encode()):
            return plan
    try:
        plan = PartsPlan.model_validate_json(store.get(path))
    except ValidationError as error:
        raise RecordError(f"the seal plan at {path} cannot be read: {error}") from error
    missing = [part for part in plan.parts if here.get(part.path) != part]
    here |= fetch_all(store, ((part.path, part.size) for part in missing), folder)
    for part in plan.parts:
        if here[part.path] != part:
            raise RecordError(f"{part.path} is no longer what the seal plan fixed; it was damaged since")
    return plan


def _gather(plan: PartsPlan, folder: Path, spool: Path, say: Callable[[str], None]) -> tuple[Gathered, int]:
    """Return what the parts held, as spool files, and how many parts could not be read whole."""
    gathered, unreadable = Gathered(spool), set[str]()
    for part in plan.parts:
        file = folder / local_name(part.path)

        def damaged(reason: str, path: str = part.path) -> None:
            unreadable.add(path)
            say(f"{path} cannot be read whole: {reason}")

        foreign = gathered.take(read_part(file, damaged))
        if foreign:
            damaged(f"{foreign} records say no writer or number")
        file.unlink()
    gathered.finish()
    return gathered, len(unreadable)


def _standing(record: Store, settings: RunSettings) -> SealResult | None:
    """Return the record that stands already, if it is this run's."""
    where = f"{settings.record_uri}/{layout.MANIFEST}"
    try:
        raw = record.get(layout.MANIFEST)
    except RecordNotFound:
        return None
    manifest: Manifest = read_manifest(raw, where)
    if manifest.run.uid != settings.identity.uid:
        raise SealConflict(
            f"{where} is the record of run {manifest.run.uid}, not of {settings.identity.uid}; "
            "nothing was overwritten"
        )
    if record.get(layout.MANIFEST_HASH) != hash_line(raw):
        raise RecordError(f"{where} and its {layout.MANIFEST_HASH} do not agree: one of the two was changed")
    return SealResult(manifest, hashlib.sha256(raw).hexdigest())


def _clean(store: Store, root: str, prefix: str) -> None:
    """Remove all that lies below `prefix`, the plan last."""
    plan = f"{prefix}{layout.PLAN}"
    paths = [path for path, _ in store.entries(prefix)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(store.delete, (path for path in paths if path != plan)))
    if plan in paths:
        store.delete(plan)
    if not is_remote(root):
        for folder in (Path(root, prefix), Path(root, layout.SPOOL)):
            with suppress(OSError):
                folder.rmdir()


def _answer(settings: RunSettings, result: SealResult, seconds: dict[str, float]) -> SealAnswer:
    verdict, counts = result.manifest.verdict, result.manifest.counts
    return SealAnswer(
        outcome=verdict.outcome,
        message=verdict.message,
        uri=settings.record_uri,
        sha256=result.sha256,
        loss=counts.loss,
        lost_spans=counts.spans.lost,
        lost_logs=counts.logs.lost,
        lost_metrics=counts.metrics.lost,
        tasks=verdict.tasks,
        timings=seconds,
    )
