"""The plan of a cluster's seal: which parts are sealed, and whatever else the record depends on.

It is fixed once, as `seal-plan.json` beside the parts; every sealer carries out the one that stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import RecordError, RecordNotFound, SealConflict
from vaportrail.record.seal.operator_report import OperatorReport
from vaportrail.record.seal.parts import fetch_all, part_paths, spool_prefix
from vaportrail.record.seal.spool_plan import ArtifactEntry, Count, SpoolRange, read_plan, stored_artifacts
from vaportrail.record.settings import stored_settings
from vaportrail.record.sound import Unsound
from vaportrail.storage import layout
from vaportrail.storage.store import Store
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import HIDDEN_TEXT
from vaportrail.telemetry.secret_names import is_secret_name
from vaportrail.version import __version__

__all__ = ["PartsPlan", "fix_plan", "standing_plan"]


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


def standing_plan(store: Store, settings: RunSettings) -> PartsPlan | None:
    """Return the plan of a run that stands in its record root, or None.

    Raises:
        RecordError: this version cannot read it, or no sealer fixed it for this run.
    """
    path = f"{spool_prefix(settings.identity.uid)}{layout.PLAN}"
    try:
        return read_plan(PartsPlan, store, path, lambda plan: _believe(plan, settings))
    except RecordNotFound:
        return None


def _believe(plan: PartsPlan, settings: RunSettings) -> None:
    """See that a plan is one that a sealer may have fixed for a run: who may write there may have written it.

    Raises:
        Unsound: it is not.
    """
    # Parameters are told as the runner announced them; a root may be called by another name since.
    told = replace(plan.settings.identity, parameters=settings.identity.parameters)
    if replace(plan.settings, identity=told, spool=settings.spool, root=settings.root) != settings:
        raise Unsound("it is of another run")
    if not plan.version.isprintable():
        raise Unsound("its version is none")
    prefix = spool_prefix(settings.identity.uid)
    for part in plan.parts:
        if not part.path.startswith(prefix) or ".." in part.path.split("/"):
            raise Unsound(f"{part.path[:80]!r} is no part of this run")


def fix_plan(
    settings: RunSettings,
    report: OperatorReport,
    store: Store,
    record: Store,
    folder: Path,
    clock: Callable[[], int],
) -> PartsPlan:
    """Return the plan that stands, or fix one; its parts lie in `folder` then.

    Args:
        settings: the run.
        report: the operator's, for a new plan.
        store: the record root.
        record: where the run's record lies.
        folder: where the parts go, as `fetch_all` names them.
        clock: nanoseconds since the epoch.

    Raises:
        SealConflict: meanwhile somebody else has made the record.
        RecordError: the plan, or a part that it names, is damaged.
    """
    uid = settings.identity.uid
    prefix = spool_prefix(uid)
    here: dict[str, SpoolRange] = {}
    plan = standing_plan(store, settings)
    if plan is None:
        here = fetch_all(store, ((part, None) for part in part_paths(store, prefix)), folder)
        announced = _announced(store, uid)
        told = announced if announced is not None else _described(settings.identity.parameters)
        made = PartsPlan(
            settings=replace(settings, identity=replace(settings.identity, parameters=told)),
            sealed_at_unix_nano=clock(),
            parts=list(here.values()),
            artifacts=stored_artifacts(record),
            # What the runner left there proves that it ran.
            report=report.model_copy(
                update={"runner_started": report.runner_started or announced is not None}
            ),
        )
        if record.size(layout.MANIFEST) is not None:
            # It may have cleared the parts away before they were listed here.
            raise SealConflict(f"another sealer has made {settings.record_uri} meanwhile")
        if store.create(f"{prefix}{layout.PLAN}", made.model_dump_json(indent=1).encode()):
            return made
        plan = standing_plan(store, settings)
        if plan is None:
            raise SealConflict(f"another sealer of {settings.record_uri} has just cleared its plan away")
    missing = [part for part in plan.parts if here.get(part.path) != part]
    here |= fetch_all(store, ((part.path, part.size) for part in missing), folder)
    for part in plan.parts:
        if here[part.path] != part:
            raise RecordError(f"{part.path} is no longer what the seal plan fixed; it was damaged since")
    return plan


def _announced(store: Store, uid: str) -> dict[str, Any] | None:
    """Return the parameters as the run's runner left word of them, hidden ones hidden; None without it."""
    try:
        return stored_settings(store, uid).identity.parameters
    except RecordNotFound:
        return None
    except RecordError as error:
        if isinstance(error.__cause__, Unsound):
            return None
        raise


def _described(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters of which only the names are known to tell whether they are secret."""
    return {name: _hidden(name, describe(value)) for name, value in parameters.items()}


def _hidden(name: str, value: Any) -> Any:
    if is_secret_name(name):
        return HIDDEN_TEXT
    if isinstance(value, dict):
        return {key: _hidden(key, item) for key, item in value.items()}
    return [_hidden(name, item) for item in value] if isinstance(value, list) else value
