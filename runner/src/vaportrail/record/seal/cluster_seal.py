"""Sealing a run of a cluster: from the collector's parts in the record root to the record.

Every step can be repeated by whoever comes next: what is sealed is fixed in `seal-plan.json` first,
the same plan gives the same bytes, and a record that stands already is answered from. What stands there
and is not what this run's sealer would have made is refused, and left as it is.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from vaportrail.contract.otlp_signals import COUNTED
from vaportrail.contract.pod_messages import SealPlanReport, SealReport, SealRequest
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, SealConflict
from vaportrail.record.manifest import count_of
from vaportrail.record.seal.cleanup import clear_parts, clear_record
from vaportrail.record.seal.demultiplex import Demultiplexer
from vaportrail.record.seal.execute_plan import SealResult, carry_out
from vaportrail.record.seal.expected import Expected
from vaportrail.record.seal.operator_report import OperatorReport, operator_report
from vaportrail.record.seal.parts import local_name, read_part
from vaportrail.record.seal.parts_plan import FixedPlan, PartsPlan, fetch_parts, fix_plan, standing_plan
from vaportrail.record.seal.spool_plan import plan_spool
from vaportrail.record.seal.standing_record import standing_record
from vaportrail.record.settings import open_record
from vaportrail.storage import layout
from vaportrail.storage.store import ObjectStore, Store, normalise_root, open_store

__all__ = ["fix_seal", "seal_run"]

_PARTS: Final = "parts"


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


def fix_seal(
    request: SealRequest,
    folder: Path,
    *,
    clock: Callable[[], int] = time.time_ns,
    progress: Callable[[str], None] = lambda line: None,
) -> SealPlanReport:
    """Fix what is sealed of a run, and leave it in a folder that is the sealer's alone; say its hash.

    Where the record stands already, there is no plan, and no hash.

    Args:
        request: which run, where its record belongs, and what the operator says of it.
        folder: is made where it is missing; what is in it goes.
        clock: nanoseconds since the epoch.
        progress: is told what is being done.

    Raises:
        SealConflict: something else stands where the plan or the record belongs.
        RecordError: the parts or the store cannot be read or written.
        UsageError: the request is wrong.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / _PARTS).mkdir(parents=True)
    run = _Run.of(request, by_hand=False)
    fixed = None
    if standing_record(run.record, run.expected, _plan_beside(run)) is None:
        fixed = _fixed(run, folder / _PARTS, clock)
    if fixed is None:
        progress("the record stands already")
        return SealPlanReport(sha256="")
    (folder / layout.PLAN).write_bytes(fixed.raw)
    size = sum(part.size for part in fixed.plan.parts)
    progress(f"fixed the plan {fixed.sha256}: {len(fixed.plan.parts)} parts, {size} bytes")
    return SealPlanReport(sha256=fixed.sha256, parts=len(fixed.plan.parts), size=size)


def seal_run(
    request: SealRequest,
    *,
    folder: Path | None = None,
    by_hand: bool = False,
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
        folder: where `fix_seal` has left what is sealed, and nothing else is then. None: it is fixed here.
        by_hand: nobody knows the operator's word; of what stands there, it is believed.
        clock: nanoseconds since the epoch.
        seconds: measures the steps.
        progress: is told what is being done.
        keep_spool: leave the parts and the plan where they are.

    Raises:
        SealConflict: something else stands where the plan or the record belongs.
        RecordError: the parts or the store cannot be read or written.
        UsageError: the request is wrong.
    """
    run, steps = _Run.of(request, by_hand=by_hand), _Steps(progress, seconds)
    with tempfile.TemporaryDirectory(prefix="vaportrail-parts-") as own:
        fixed = _left_in(folder) if folder is not None else None
        known = fixed.plan if fixed else _plan_beside(run)
        result = standing_record(run.record, run.expected, known)
        if result is not None:
            progress("the record stands already")
        elif folder is not None and fixed is None:
            raise RecordError(f"the record {run.settings.record_uri} stood when its seal began, and is gone")
        else:
            parts = (folder or Path(own)) / _PARTS
            result, fixed = _seal(run, fixed, parts, clock, steps)
    late = 0
    with steps("clean"):
        clear_record(run.record, progress)
        if not keep_spool:
            plan = fixed.plan if fixed else None
            late = clear_parts(run.store, run.settings, plan, say=progress, seconds=seconds)
    return _report(run.settings, result, steps.seconds, late, fixed.sha256 if fixed else "")


@dataclass(frozen=True, slots=True)
class _Run:
    """The run that is sealed, and where."""

    expected: Expected
    report: OperatorReport
    store: ObjectStore
    record: ObjectStore

    @classmethod
    def of(cls, request: SealRequest, *, by_hand: bool) -> _Run:
        root = normalise_root(request.root)
        settings = replace(request.settings, root=root)
        report = operator_report(request)
        expected = Expected(settings, None if by_hand else report, request.plan_sha256)
        return cls(expected, report, open_store(root, create=True), open_record(settings))

    @property
    def settings(self) -> RunSettings:
        return self.expected.settings


def _plan_beside(run: _Run) -> PartsPlan | None:
    """Return the plan that stands beside a record, which must be by that one; None where none can be read."""
    if run.record.size(layout.MANIFEST) is None:
        return None
    try:
        fixed = standing_plan(run.store, run.expected)
    except RecordError:
        return None
    return fixed.plan if fixed else None


def _left_in(folder: Path) -> FixedPlan | None:
    try:
        raw = (folder / layout.PLAN).read_bytes()
    except FileNotFoundError:
        return None
    return FixedPlan(PartsPlan.model_validate_json(raw), raw)


def _fixed(run: _Run, parts: Path, clock: Callable[[], int]) -> FixedPlan | None:
    """Return the plan, its parts fetched; None where another sealer has made the record meanwhile."""
    try:
        return fix_plan(run.expected, run.report, run.store, run.record, parts, clock)
    except RecordError:
        # It may also have cleared away what this one worked on.
        if standing_record(run.record, run.expected, None) is None:
            raise
    return None


def _seal(
    run: _Run, fixed: FixedPlan | None, parts: Path, clock: Callable[[], int], steps: _Steps
) -> tuple[SealResult, FixedPlan | None]:
    """Return the record, made by the plan or by another sealer meanwhile, and the plan."""
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with steps("plan"):
            if fixed is None:
                fixed = fix_plan(run.expected, run.report, run.store, run.record, parts, clock)
            else:
                fetch_parts(fixed.plan, run.store, parts)
        return _carry_out(fixed.plan, parts, run.record, steps), fixed
    except RecordError as error:
        if fixed is not None and isinstance(error, SealConflict):
            raise  # the same plan gives the same bytes: what stands there is not by it
        # Another sealer may have been faster, and have cleared away what this one worked on.
        result = standing_record(run.record, run.expected, fixed.plan if fixed else None)
        if result is None:
            raise
        return result, fixed


def _carry_out(plan: PartsPlan, parts: Path, record: Store, steps: _Steps) -> SealResult:
    with tempfile.TemporaryDirectory(prefix="vaportrail-spool-") as folder:
        steps.say(f"{len(plan.parts)} parts, {sum(part.size for part in plan.parts)} bytes")
        with steps("gather"):
            gathered, unreadable = _demultiplex(plan, parts, Path(folder), steps.say)
        with steps("write"):
            local = open_store(folder)
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


def _report(
    settings: RunSettings, result: SealResult, seconds: dict[str, float], late: int, plan_sha256: str
) -> SealReport:
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
        plan_sha256=plan_sha256,
    )
