"""The PipelineRun of a tick, as it is created."""

from __future__ import annotations

from typing import Any, Final

from vaportrail.crd.fields import API_VERSION
from vaportrail.crd.pipelineschedule import PipelineSchedule, parameters_at, run_name
from vaportrail.crd.scheduled_times import PREVIOUS_TIME_ANNOTATION, SCHEDULED_TIME_ANNOTATION
from vaportrail.scheduling.time_zones import time_of
from vaportrail_operator.planning import times
from vaportrail_operator.planning.schedules.schedule_types import (
    LEDGER_ANNOTATION,
    SCHEDULE_LABEL,
    SCHEDULE_UID_LABEL,
)

__all__ = ["run_of_tick"]

_KEPT: Final = 2**31 - 1
"""Seconds. The history limits say when a run goes; a time to live would break what they promise."""


def run_of_tick(
    schedule: PipelineSchedule, tick: int, ledger: str, last_success: int | None
) -> dict[str, Any]:
    """Return the run of a tick.

    Args:
        schedule: whose it is.
        tick: the minute.
        ledger: what it carries of the ticks until its own.
        last_success: the tick of the last run that succeeded, if there is one.
    """
    template, metadata = schedule.spec.template, schedule.metadata
    spec = template.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if timed := parameters_at(schedule.spec, time_of(tick)):
        spec["parameters"] = {**spec.get("parameters", {}), **timed}
    spec.setdefault("ttlSecondsAfterFinished", _KEPT)
    annotations = {
        **template.metadata.annotations,
        SCHEDULED_TIME_ANNOTATION: times.stamp(time_of(tick)),
        LEDGER_ANNOTATION: ledger,
    }
    if last_success is not None:
        annotations[PREVIOUS_TIME_ANNOTATION] = times.stamp(time_of(last_success))
    return {
        "apiVersion": API_VERSION,
        "kind": "PipelineRun",
        "metadata": {
            "name": run_name(metadata.name, tick),
            "namespace": metadata.namespace,
            "labels": {
                **template.metadata.labels,
                SCHEDULE_LABEL: metadata.name,
                SCHEDULE_UID_LABEL: metadata.uid,
            },
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": schedule.kind,
                    "name": metadata.name,
                    "uid": metadata.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }
