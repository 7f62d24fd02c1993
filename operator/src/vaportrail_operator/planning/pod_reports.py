"""What a run's pods said as they ended: read leniently, because other versions may have written it."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vaportrail.contract.pod_messages import RunReport, SealPlanReport, SealReport
from vaportrail.contract.versions import unread_version
from vaportrail_operator.planning.types import ObservedPod

__all__ = ["plan_report", "run_report", "seal_report", "unread_report"]

_R = TypeVar("_R", bound=BaseModel)


def run_report(runner: ObservedPod | None) -> RunReport | None:
    """Return the runner's answer; None if it has not ended, or ended without one."""
    if runner is None or runner.terminated is None:
        return None
    return _read(RunReport, runner.terminated.message)


def plan_report(sealer: ObservedPod | None) -> SealPlanReport | None:
    """Return what the sealer's first container said of the plan that it fixed; None if it has fixed none."""
    if sealer is None or sealer.prepared is None or sealer.prepared.exit_code != 0:
        return None
    return _read(SealPlanReport, sealer.prepared.message)


def seal_report(sealer: ObservedPod | None) -> SealReport | None:
    """Return the sealer's answer; None if it has not sealed the record, or has not said so."""
    if sealer is None or sealer.terminated is None or sealer.terminated.exit_code != 0:
        return None
    return _read(SealReport, sealer.terminated.message)


def unread_report(pod: ObservedPod, whose: str) -> str:
    """Return in words that a pod has answered, but as a release does that is not read here; else ``""``."""
    other = unread_version(pod.terminated.message) if pod.terminated else ""
    return f"{whose} answer cannot be read: {other}" if other else ""


def _read(kind: type[_R], message: str) -> _R | None:
    try:
        return None if unread_version(message) else kind.model_validate_json(message)
    except ValidationError:
        return None
