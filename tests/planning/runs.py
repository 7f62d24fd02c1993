"""Runs and what is seen of them, for the planner's tests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import RunReport, SealPlanReport, SealReport
from vaportrail.crd.pipelinerun import PipelineRun
from vaportrail.crd.status import Condition, ConditionType, PipelineRunStatus
from vaportrail_operator.planning.types import (
    Component,
    Observed,
    ObservedObject,
    ObservedPod,
    OperatorSettings,
    Plan,
    Refusal,
    Terminated,
)

__all__ = [
    "CREATED",
    "SETTINGS",
    "UID",
    "a_cluster",
    "a_pod",
    "a_run",
    "a_service",
    "condition",
    "observed",
    "plan_report",
    "planned",
    "prepared",
    "refusal",
    "run_report",
    "seal_report",
    "terminated",
]

UID = "0123abcd-0000-4000-8000-000000000000"
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTINGS = OperatorSettings("vaportrail/operator:1", "otel/collector:1", version="1.2.3")


def a_run(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any
) -> PipelineRun:
    """Return a valid run of one worker."""
    given: dict[str, Any] = {
        "pipeline": "mnist",
        "entrypoint": "mnist.pipeline:mnist",
        "image": "acme/mnist:1",
        "record": {"uri": "s3://runs/ml"},
        "ray": {"workers": [{"name": "cpu"}]},
        **(spec or {}),
    }
    known = {
        "name": "mnist",
        "namespace": "ml",
        "uid": UID,
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": CREATED.isoformat(),
        **metadata,
    }
    return PipelineRun.model_validate({"metadata": known, "spec": given, "status": status or {}})


def observed(run: PipelineRun | None = None, seconds: float = 1, **seen: Any) -> Observed:
    """Return what is observed of a run, so many seconds after it was created."""
    now = CREATED + timedelta(seconds=seconds)
    return Observed(run=run or a_run(), now=now, **{"settings": SETTINGS, **seen})


def a_pod(component: Component, name: str = "", **seen: Any) -> ObservedPod:
    """Return a pod of the run that was just made."""
    name = name or f"mnist-0123abcd-{component.value}"
    known = {"created_at": CREATED + timedelta(seconds=2), **seen}
    return ObservedPod(name=name, uid=f"uid-of-{name}", component=component, **known)


def terminated(
    pod: ObservedPod, message: str = "", *, exit_code: int = 0, reason: str = "Completed"
) -> ObservedPod:
    """Return a pod of which all containers have ended."""
    start = pod.started_at or pod.created_at
    stop = start + timedelta(seconds=10)
    last = Terminated(exit_code, reason, message, start, stop)
    phase: Any = "Failed" if exit_code else "Succeeded"
    return replace(pod, phase=phase, ready=False, started_at=start, terminated=last, drained_at=stop)


def a_cluster(**seen: Any) -> ObservedObject:
    """Return the run's RayCluster."""
    return ObservedObject(
        **{"name": "mnist-0123abcd", "uid": "uid-of-cluster", "created_at": CREATED, **seen}
    )


def a_service(**seen: Any) -> ObservedObject:
    """Return the collector's Service."""
    known = {"name": "mnist-0123abcd-collector", "uid": "uid-of-service", "created_at": CREATED}
    return ObservedObject(**{**known, **seen})


def refusal(
    words: str = "exceeded quota: team", status: int = 403, *, seconds: float = 1, what: str = "runner pod"
) -> Refusal:
    """Return what the API server has refused to make for so many seconds after the run was created."""
    return Refusal(f"{what} cannot be made: {words}", status, CREATED + timedelta(seconds=seconds))


def run_report(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> str:
    """Return what a runner says as it ends."""
    return RunReport(outcome=outcome, **more).model_dump_json()


def seal_report(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> str:
    """Return what a sealer says as it ends."""
    known = {"uri": "s3://runs/ml/runs/mnist/x", "sha256": "a" * 64, "loss": "None", **more}
    return SealReport(outcome=outcome, **known).model_dump_json()


def prepared(pod: ObservedPod, message: str = "", *, exit_code: int = 0) -> ObservedPod:
    """Return a sealer of which the first container has ended."""
    return replace(pod, prepared=Terminated(exit_code, "Completed", message, pod.created_at, pod.created_at))


def plan_report(sha256: str) -> str:
    """Return what a sealer's first container says as it ends."""
    return SealPlanReport(sha256=sha256, parts=3, size=1000).model_dump_json()


def planned(before: Observed, plan: Plan, **seen: Any) -> Observed:
    """Return what is observed once a plan's status is written."""
    written = json.loads(plan.status.model_dump_json())
    status = PipelineRunStatus.model_validate(written)
    return replace(before, run=before.run.model_copy(update={"status": status}), **seen)


def condition(plan: Plan, kind: ConditionType) -> Condition:
    """Return a condition of a plan's status."""
    return next(each for each in plan.status.conditions if each.type is kind)
