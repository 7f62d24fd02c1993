"""Spans that were said to have started and were never ended, while a seal looks for their ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.identity import task_span_id
from vaportrail.telemetry.recorder import INTERNAL

__all__ = ["OpenSpan", "never_started"]


@dataclass(slots=True)
class OpenSpan:
    """A span that was said to have started."""

    start: int
    span_id: str
    values: Mapping[str, Any]
    writer: str = ""


def never_started(said: Mapping[str, Any], settings: RunSettings) -> dict[str, Any]:
    """Return what an attempt that died before its first word would have said of its span.

    Args:
        said: what the runner said of its end.
        settings: the run's.
    """
    task = said[c.TASK_RUN_ID]
    return {
        c.SPAN_NAME: task.rpartition("-")[0],
        c.SPAN_PARENT: task_span_id(settings.identity.uid, task, settings.incarnation),
        c.SPAN_KIND: INTERNAL,
        c.TASK_RUN_ID: task,
        c.ATTEMPT: said[c.ATTEMPT],
        c.STDOUT_OFFSET: 0,
    }
