"""The plan of a cluster's seal: which parts are sealed, and whatever else the record depends on.

It is fixed once, as `seal-plan.json` beside the parts; every sealer carries out the one that stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.record.seal.expected import Expected, check_report, check_settings
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.seal.parts import fetch_all, local_name, part_paths, spool_prefix
from vaportrail.record.seal.spool_plan import ArtifactEntry, Count, SpoolRange, read_plan, stored_artifacts
from vaportrail.record.settings import stored_settings
from vaportrail.record.sound import Unsound
from vaportrail.storage import layout
from vaportrail.storage.store import Store, open_store
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import HIDDEN_TEXT
from vaportrail.telemetry.secret_names import is_secret_name
from vaportrail.version import __version__

__all__ = ["FixedPlan", "PartsPlan", "fetch_parts", "fix_plan", "standing_plan"]

_CLOCKS_APART: Final = 86_400 * 10**9
"""How far two clocks may be apart, nanoseconds."""
_BY_HAND: Final = "seal it by hand if that is right"


class PartsPlan(BaseModel):
    """Everything that the seal of a cluster's run depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    version: str = __version__
    """Of the sealer that fixed it: the record names that one, whoever carries the plan out."""
    settings: RunSettings
    sealed_at_unix_nano: Count
    parts: list[SpoolRange]
    artifacts: list[ArtifactEntry]
    report: OperatorReport


@dataclass(frozen=True, slots=True)
class FixedPlan:
    """A plan as it stands in the record root, to the byte."""

    plan: PartsPlan
    raw: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def standing_plan(store: Store, expected: Expected) -> FixedPlan | None:
    """Return the plan of a run that stands in its record root, or None.

    Raises:
        SealConflict: no sealer fixed it for what was asked for.
        RecordError: it cannot be read.
    """
    path = f"{spool_prefix(expected.settings.identity.uid)}{layout.PLAN}"
    found: list[bytes] = []

    def believe(plan: PartsPlan, raw: bytes) -> None:
        _believe(plan, raw, store, expected)
        found.append(raw)

    try:
        plan = read_plan(PartsPlan, store, path, believe)
    except RecordNotFound:
        return None
    return FixedPlan(plan, found[0])


def _believe(plan: PartsPlan, raw: bytes, store: Store, expected: Expected) -> None:
    """See that a plan is one that a sealer fixed for a run: who may write there may have written it.

    Raises:
        Unsound: it is not.
    """
    settings = expected.settings
    # Parameters are told as the runner announced them; a root may be called by another name since.
    told = replace(plan.settings.identity, parameters=settings.identity.parameters)
    if replace(plan.settings, identity=told, spool=settings.spool, root=settings.root) != settings:
        raise Unsound("it is of another run")
    if not plan.version.isprintable():
        raise Unsound("its version is none")
    if plan.sealed_at_unix_nano < settings.identity.created_unix_nano - _CLOCKS_APART:
        raise Unsound("it was fixed before its run was made")
    prefix = spool_prefix(settings.identity.uid)
    for part in plan.parts:
        if not part.path.startswith(prefix) or ".." in part.path.split("/"):
            raise Unsound(f"{part.path[:80]!r} is no part of this run")
    for artifact in plan.artifacts:
        if layout.ARTIFACT_FILE.fullmatch(artifact.path) is None:
            raise Unsound(f"{artifact.path[:80]!r} is no artifact of this run")
    if expected.plan_sha256:
        if (sha256 := hashlib.sha256(raw).hexdigest()) != expected.plan_sha256:
            raise Unsound(f"its SHA-256 is {sha256}, and {expected.plan_sha256} was fixed")
    elif expected.report is not None:
        parameters, report = _asked(store, expected, expected.report)
        check_report(plan.report, report)
        if plan.settings.identity.parameters != parameters:
            raise Unsound("its parameters are not the run's")


def fix_plan(
    expected: Expected,
    report: OperatorReport,
    store: Store,
    record: Store,
    folder: Path,
    clock: Callable[[], int],
) -> FixedPlan:
    """Return the plan that stands, or fix one; its parts lie in `folder` then.

    Args:
        expected: the run, and what is known of it.
        report: the operator's, for a new plan.
        store: the record root.
        record: where the run's record lies.
        folder: where the parts go, as `fetch_all` names them.
        clock: nanoseconds since the epoch.

    Raises:
        SealConflict: something else stands where the plan or the record belongs.
        RecordError: the plan, or a part that it names, is damaged.
    """
    settings = expected.settings
    prefix = spool_prefix(settings.identity.uid)
    fixed = standing_plan(store, expected)
    if fixed is None and expected.plan_sha256:
        raise SealConflict.at(prefix, f"the plan {expected.plan_sha256} that was fixed is gone", _BY_HAND)
    if fixed is None:
        parts = fetch_all(store, ((part, None) for part in part_paths(store, prefix)), folder)
        parameters, report = _asked(store, expected, report)
        made = PartsPlan(
            settings=replace(settings, identity=replace(settings.identity, parameters=parameters)),
            sealed_at_unix_nano=clock(),
            parts=list(parts.values()),
            artifacts=stored_artifacts(record),
            report=report,
        )
        if record.size(layout.MANIFEST) is not None:
            # It may have cleared the parts away before they were listed here.
            raise RecordError(f"another sealer has made {settings.record_uri} meanwhile")
        raw = made.model_dump_json(indent=1).encode()
        if store.create(f"{prefix}{layout.PLAN}", raw):
            return FixedPlan(made, raw)
        fixed = standing_plan(store, expected)
        if fixed is None:
            raise RecordError(f"another sealer of {settings.record_uri} has just cleared its plan away")
    fetch_parts(fixed.plan, store, folder)
    return fixed


def fetch_parts(plan: PartsPlan, store: Store, folder: Path) -> None:
    """Bring the parts that a plan names to a folder, as far as they do not lie there yet.

    Raises:
        RecordError: one is no longer what was planned.
    """
    local = open_store(str(folder))
    missing = [part for part in plan.parts if not _is_here(local, part)]
    here = fetch_all(store, ((part.path, part.size) for part in missing), folder)
    for part in missing:
        if here[part.path] != part:
            raise RecordError(f"{part.path} is no longer what the seal plan fixed; it was damaged since")


def _is_here(local: Store, part: SpoolRange) -> bool:
    name = local_name(part.path)
    if local.size(name) != part.size:
        return False
    digest = hashlib.sha256()
    for chunk in local.chunks(name):
        digest.update(chunk)
    return digest.hexdigest() == part.sha256


def _asked(store: Store, expected: Expected, report: OperatorReport) -> tuple[dict[str, Any], OperatorReport]:
    """Return the parameters as they are recorded, and the operator's word with what the runner left of it.

    A runner that has begun leaves word of its parameters, hidden ones hidden. Where that cannot be
    believed, nobody knows any more which are: then none is told.
    """
    asked = expected.settings.identity
    try:
        said = stored_settings(store, asked.uid)
        check_settings(said, expected)
    except RecordNotFound:
        return _described(asked.parameters), report
    except Unsound:
        parameters: dict[str, Any] = dict.fromkeys(asked.parameters, HIDDEN_TEXT)
    except RecordError as error:
        if not isinstance(error.__cause__, Unsound):
            raise
        parameters = dict.fromkeys(asked.parameters, HIDDEN_TEXT)
    else:
        parameters = said.identity.parameters
    # Whatever stands there proves that it ran.
    return parameters, report.model_copy(update={"runner_started": True})


def _described(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of which only the names are known to tell whether they are secret."""
    return {name: _hidden(name, describe(value)) for name, value in parameters.items()}


def _hidden(name: str, value: Any) -> Any:
    if is_secret_name(name):
        return HIDDEN_TEXT
    if isinstance(value, dict):
        return {key: _hidden(key, item) for key, item in value.items()}
    return [_hidden(name, item) for item in value] if isinstance(value, list) else value
