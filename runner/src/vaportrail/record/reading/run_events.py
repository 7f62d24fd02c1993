"""What a record's lines say happened, one event a line; for whoever watches a run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.known_outcomes import read_outcome
from vaportrail.record.label import call_label
from vaportrail.record.otlp_lines import Record
from vaportrail.record.output_lines import lines_of
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import read_failure, span_failure
from vaportrail.telemetry.json_attributes import decode_attribute
from vaportrail.telemetry.values import from_any_value

__all__ = ["RunEvent", "read_events"]


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something that happened in a run.

    Attributes:
        time: nanoseconds since the epoch.
        kind: ``"run.started"``, ``"run.ended"``, ``"timeline"``, ``"task.submitted"``,
            ``"task.ended"``, ``"attempt.started"``, ``"attempt.ended"`` or ``"log"``.
        task: the task's id; empty for the pipeline's body.
        attempt: from 1; 0 where it belongs to none.
        text: a name, a label, a message or a line of output, as the kind has it.
        outcome: how it ended.
        failure: why, where it failed.
        started: when what ended had begun; 0 where nothing ended.
        cause: the upstream task that skipped it.
        source: ``"stdout"``, ``"stderr"`` or the logger's name.
        retries: how many more attempts a task may have.
    """

    time: int
    kind: str
    task: str = ""
    attempt: int = 0
    text: str = ""
    outcome: Outcome | None = None
    failure: Failure | None = None
    started: int = 0
    cause: str = ""
    source: str = ""
    retries: int = 0


def read_events(record: Record) -> Iterator[RunEvent]:
    """Yield what a record says: nothing where that is not for a watcher, an event a line of output."""
    if record.kind == "L" and not record.body.get("eventName"):
        named, time = record.attributes, int(record.body["timeUnixNano"])
        task, attempt = named.get(c.TASK_RUN_ID, ""), named.get(c.ATTEMPT, 0)
        for text in lines_of(record):
            yield RunEvent(time, "log", task, attempt, text, source=record.scope)
        return
    ours = record.kind == "T" and record.scope == c.SCOPE
    event = _end_event(record.body, record.attributes) if ours else None
    if record.kind == "L":
        event = _logged(record)
    if event is not None:
        yield event


def _end_event(body: Mapping[str, Any], named: Mapping[str, Any]) -> RunEvent | None:
    task, attempt = named.get(c.TASK_RUN_ID, ""), named.get(c.ATTEMPT, 0)
    if c.OUTCOME not in named or not task:
        return None
    return RunEvent(
        int(body["endTimeUnixNano"]),
        "attempt.ended" if attempt else "task.ended",
        task,
        attempt,
        outcome=read_outcome(named[c.OUTCOME]),
        failure=span_failure(body),
        started=int(body["startTimeUnixNano"]),
        cause=named.get(c.TASK_CAUSE, ""),
    )


def _logged(record: Record) -> RunEvent | None:
    named, time = record.attributes, int(record.body["timeUnixNano"])
    task, attempt = named.get(c.TASK_RUN_ID, ""), named.get(c.ATTEMPT, 0)
    text = str(from_any_value(record.body.get("body", {})))
    match record.body.get("eventName", ""):
        case c.EVENT_RUN_STARTED:
            return RunEvent(time, "run.started", text=f"{named[c.PIPELINE_NAME]}/{named[c.RUN_NAME]}")
        case c.EVENT_RUN_ENDED:
            return RunEvent(
                time, "run.ended", text=named[c.RUN_MESSAGE], outcome=read_outcome(named[c.OUTCOME])
            )
        case c.EVENT_MILESTONE:
            return RunEvent(time, "timeline", text=text)
        case c.EVENT_TASK_SUBMITTED:
            label = call_label(named[c.TASK_NAME], decode_attribute(named, c.TASK_ARGUMENTS, dict))
            retries = decode_attribute(named, c.TASK_OPTIONS, dict).get("retries", 0)
            return RunEvent(time, "task.submitted", task, text=label, retries=retries)
        case c.EVENT_ATTEMPT_STARTED:
            return RunEvent(time, "attempt.started", task, attempt, text=named.get(c.SPAN_NAME, task))
        case c.EVENT_ATTEMPT_RESOLVED:
            outcome = read_outcome(named[c.OUTCOME])
            return RunEvent(
                time, "attempt.ended", task, attempt, outcome=outcome, failure=read_failure(named)
            )
    return None
