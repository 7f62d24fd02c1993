"""What a run's pods said as they ended: read leniently, because other versions may have written it."""

from __future__ import annotations

from pydantic import ValidationError

from vaportrail.contract.pod_messages import RunReport, SealPlanReport, SealReport
from vaportrail_operator.planning.types import ObservedPod

__all__ = ["plan_report", "run_report", "seal_report"]


def run_report(runner: ObservedPod | None) -> RunReport | None:
    """Return the runner's answer; None if it has not ended, or ended without one."""
    if runner is None or runner.terminated is None:
        return None
    try:
        return RunReport.model_validate_json(runner.terminated.message)
    except ValidationError:
        return None


def plan_report(sealer: ObservedPod | None) -> SealPlanReport | None:
    """Return what the sealer's first container said of the plan that it fixed; None if it has fixed none."""
    if sealer is None or sealer.prepared is None or sealer.prepared.exit_code != 0:
        return None
    try:
        return SealPlanReport.model_validate_json(sealer.prepared.message)
    except ValidationError:
        return None


def seal_report(sealer: ObservedPod | None) -> SealReport | None:
    """Return the sealer's answer; None if it has not sealed the record, or has not said so."""
    if sealer is None or sealer.terminated is None or sealer.terminated.exit_code != 0:
        return None
    try:
        return SealReport.model_validate_json(sealer.terminated.message)
    except ValidationError:
        return None
