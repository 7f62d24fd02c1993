"""Sealing a run of a cluster: from the collector's parts in the record root to the record.

Every step can be repeated by whoever comes next: what is sealed is fixed in `seal-plan.json` first,
the same plan gives the same bytes, and a record that stands already is answered from.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from vaportrail.contract.otlp_signals import COUNTED
from vaportrail.contract.pod_messages import SealReport, SealRequest
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.record.manifest import Manifest, count_of, hash_line
from vaportrail.record.seal.cleanup import clear_parts, clear_record
from vaportrail.record.seal.demultiplex import Demultiplexer
from vaportrail.record.seal.execute_plan import SealResult, carry_out
from vaportrail.record.seal.operator_report import OperatorReport, operator_report
from vaportrail.record.seal.parts import local_name, read_part
from vaportrail.record.seal.parts_plan import PartsPlan, fix_plan
from vaportrail.record.seal.spool_plan import plan_spool
from vaportrail.record.settings import open_record
from vaportrail.record.versions.any_version import read_manifest
from vaportrail.storage import layout
from vaportrail.storage.store import Store, normalise_root, open_store

__all__ = ["seal_run"]


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
    keep_spool: bool = False,
) -> SealReport:
    """Seal a run whose pods are gone, and remove its parts once the record stands.

    What the seal did not know of, because it arrived later, is not removed; the answer tells of it.
    What cannot be removed stays, and is told: the seal is done all the same.

    Args:
        request: which run, where its record belongs, and what the operator says of it.
        clock: nanoseconds since the epoch.
        seconds: measures the steps.
        progress: is told what is being done.
        keep_spool: leave the parts and the plan where they are.

    Raises:
        SealConflict: something different stands where the record belongs.
        RecordError: the parts or the store cannot be read or written.
        UsageError: the request is wrong.
    """
    root = normalise_root(request.root)
    settings = replace(request.settings, root=root)
    store = open_store(root, create=True)
    record = open_record(settings)
    steps = _Steps(progress, seconds)
    result = _standing(record, settings)
    if result is None:
        try:
            result = _seal(settings, operator_report(request), store, record, clock, steps)
        except RecordError:
            # Another sealer may have been faster, and have cleared away what this one worked on.
            result = _standing(record, settings)
            if result is None:
                raise
    else:
        progress("the record stands already")
    late = 0
    with steps("clean"):
        clear_record(record, progress)
        if not keep_spool:
            late = clear_parts(store, settings, say=progress, seconds=seconds)
    return _report(settings, result, steps.seconds, late)


def _seal(
    settings: RunSettings,
    report: OperatorReport,
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
            plan = fix_plan(settings, report, store, record, parts, clock)
        steps.say(f"{len(plan.parts)} parts, {sum(part.size for part in plan.parts)} bytes")
        with steps("gather"):
            gathered, unreadable = _demultiplex(plan, parts, spool, steps.say)
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
                report=plan.report,
                version=plan.version,
            )
            return carry_out(seal_plan, local, record, progress=steps.say)


def _demultiplex(
    plan: PartsPlan, folder: Path, spool: Path, say: Callable[[str], None]
) -> tuple[Demultiplexer, int]:
    """Return what the parts held, as spool files, and how many parts could not be read whole."""
    gathered, unreadable = Demultiplexer(spool), set[str]()
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
        raw = record.get(layout.MANIFEST, layout.MANIFEST_LIMIT)
    except RecordNotFound:
        return None
    manifest: Manifest = read_manifest(raw, where)
    if manifest.run.uid != settings.identity.uid:
        raise SealConflict(
            f"{where} is the record of run {manifest.run.uid}, not of {settings.identity.uid}; "
            "nothing was overwritten"
        )
    if record.get(layout.MANIFEST_HASH, layout.MANIFEST_HASH_LIMIT) != hash_line(raw):
        raise RecordError(f"{where} and its {layout.MANIFEST_HASH} do not agree: one of the two was changed")
    return SealResult(manifest, hashlib.sha256(raw).hexdigest())


def _report(settings: RunSettings, result: SealResult, seconds: dict[str, float], late: int) -> SealReport:
    verdict, counts = result.manifest.verdict, result.manifest.counts
    return SealReport(
        outcome=verdict.outcome,
        message=verdict.message,
        uri=settings.record_uri,
        sha256=result.sha256,
        loss=counts.loss,
        lost={signal.many: count_of(counts, signal).lost for signal in COUNTED},
        tasks=verdict.tasks,
        timings=seconds,
        late_parts=late,
    )
