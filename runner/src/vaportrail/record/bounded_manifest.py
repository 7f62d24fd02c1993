"""A manifest that stays below its limit, whatever the run: what it has no room for is counted, and in lines.

Pure, and the same of the same run: every sealer and every rebuild cuts alike.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic_core import to_json

from vaportrail.contract.outcome import Failure
from vaportrail.record.manifest import Manifest
from vaportrail.record.rows import section_line

__all__ = ["MANIFEST_BYTES", "METRICS", "bounded"]

MANIFEST_BYTES: Final = 256 * 2**10
METRICS: Final = 300
"""How many metrics a manifest has."""
_FILES_BYTES: Final = 48 * 2**10
"""Room for what the seal adds: see `FILES_NAMED`."""
_PARAMETERS, _TAGS, _ENVIRONMENT = 32 * 2**10, 8 * 2**10, 32 * 2**10
_LISTED: Final = 16 * 2**10
_MESSAGE, _TRACEBACK, _NAME = 8 * 2**10, 24 * 2**10, 2**10
_METRIC_BYTES: Final = 72 * 2**10
_SHRINK: Final = 0.7


def bounded(whole: Manifest) -> tuple[Manifest, list[bytes]]:
    """Return a manifest of at most `MANIFEST_BYTES`, and the lines of what it has no room for.

    Args:
        whole: all of its metrics, the most telling first; its files are not cut.
    """
    share = 1.0
    while True:
        made, sections = _cut(whole, share)
        size = len(made.to_bytes()) + (0 if whole.files else _FILES_BYTES)
        if size <= MANIFEST_BYTES or share < 0.01:
            return made, sections
        share *= _SHRINK


def _cut(whole: Manifest, share: float) -> tuple[Manifest, list[bytes]]:
    left_out: dict[str, int] = {}
    sections: list[bytes] = []

    def room(size: int) -> int:
        return int(size * share)

    def mapping(name: str, found: dict[str, Any], size: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        free = room(size)
        for key, value in found.items():
            needed = _size({key: value})
            if needed <= free:
                kept[key] = value
                free -= needed
        if len(kept) < len(found):
            left_out[name] = len(found) - len(kept)
            sections.append(section_line(name, found))
        return kept

    def listed(name: str, found: list[Any], size: int) -> list[Any]:
        kept = _first(found, room(size))
        if len(kept) < len(found):
            left_out[name] = len(found) - len(kept)
            sections.extend(section_line(name, _plain(entry)) for entry in found)
        return kept

    def text(name: str, found: str, size: int) -> str:
        kept = found.encode()[: room(size)].decode(errors="ignore")
        if len(kept) < len(found):
            left_out[name] = len(found) - len(kept)
            return f"{kept} … [cut: {len(found)} characters in all]"
        return found

    metrics = _first(whole.metrics[:METRICS], room(_METRIC_BYTES))
    if (more := whole.totals.get("metrics", 0) - len(metrics)) > 0:
        left_out["metrics"] = more
    run, verdict = whole.run, whole.verdict
    failure = verdict.failure
    if failure is not None:
        failure = Failure(
            text("failure.type", failure.type, _NAME),
            text("failure.message", failure.message, _MESSAGE),
            text("failure.traceback", failure.traceback, _TRACEBACK),
        )
    changed = {
        "run": run.model_copy(
            update={
                "name": text("name", run.name, _NAME),
                "entrypoint": text("entrypoint", run.entrypoint, _NAME),
                "parameters": mapping("parameters", run.parameters, _PARAMETERS),
                "tags": mapping("tags", run.tags, _TAGS),
            }
        ),
        "verdict": verdict.model_copy(
            update={
                "message": text("message", verdict.message, _MESSAGE),
                "tasks": mapping("outcomes", verdict.tasks, _TAGS),
                "failure": failure,
            }
        ),
        "counts": whole.counts.model_copy(
            update={"loss_reasons": listed("loss_reasons", whole.counts.loss_reasons, _LISTED)}
        ),
        "metrics": metrics,
        "timeline": listed("timeline", whole.timeline, _LISTED),
        "receipt": listed("receipt", whole.receipt, _LISTED),
        "environment": mapping("environment", whole.environment, _ENVIRONMENT),
    }
    return whole.model_copy(update={**changed, "left_out": left_out}), sections


def _plain(entry: Any) -> Any:
    return entry if isinstance(entry, str) else entry.model_dump(mode="json")


def _first(entries: list[Any], room: int) -> list[Any]:
    """Return the first entries whose JSON fits into `room` bytes."""
    for at, entry in enumerate(entries):
        room -= _size(_plain(entry))
        if room < 0:
            return entries[:at]
    return entries


def _size(value: Any) -> int:
    return len(to_json(value, inf_nan_mode="strings", indent=1)) + 8
