"""From a run's records to its facts: the head of its record, and its tasks' rows. Pure, whatever the order.

The sealer, the reader of a live run and the check that a record follows from its OTLP files all
use this one function.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.errors import RecordError
from vaportrail.record.bounded_manifest import METRICS, bounded
from vaportrail.record.known_outcomes import read_outcome
from vaportrail.record.manifest import Manifest, ReceiptEntry, RunInfo, TimelineEntry, VerdictInfo
from vaportrail.record.numbers_seen import NumbersSeen
from vaportrail.record.otlp_lines import Record
from vaportrail.record.output_lines import lines_of
from vaportrail.record.record_counts import RecordCounts
from vaportrail.record.rows import row_line
from vaportrail.record.run_facts import Facts
from vaportrail.record.task_facts import TaskFacts
from vaportrail.record.times import rfc3339
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import span_failure
from vaportrail.telemetry.json_attributes import decode_attribute
from vaportrail.telemetry.log_types import BY_EVENT
from vaportrail.telemetry.values import from_any_value

__all__ = ["FactsBuilder", "build_facts"]

_SEALER = "sealer"
_ADDED = (_SEALER, "shipper")
"""Roles of those who add to what the run itself made; what they add is not counted as made."""
Named = dict[str, Any]


class FactsBuilder:
    """Takes records one by one, in any order, and says what they amount to."""

    def __init__(self) -> None:
        self._run: tuple[Record, Named] | None = None
        self._run_failure: Failure | None = None
        self._run_finished: tuple[int, Named] | None = None
        self._tasks = TaskFacts()
        self._counts = RecordCounts()
        self._timeline: set[tuple[int, str, int]] = set()
        self._receipt: dict[tuple[str, int], Named] = {}
        self._sealed: Named = {}
        self._last = 0

    @property
    def begun(self) -> bool:
        """Whether the start of the run is among the records."""
        return self._run is not None

    def take(self, record: Record) -> None:
        """Take one record (without duplicates: see `Record.identity`)."""
        attributes, resource = record.attributes, record.resource_attributes
        writer = str(resource.get(c.WRITER_ID, ""))
        added = resource.get(c.WRITER_ROLE) in _ADDED
        if not added:
            self._counts.record(writer, record.kind)
        if record.kind == "T":
            self._take_span(record, attributes)
        elif record.kind == "L":
            self._take_log(record, attributes, writer, added=added)

    def _take_span(self, record: Record, attributes: Named) -> None:
        body = record.body
        start, end = int(body["startTimeUnixNano"]), int(body["endTimeUnixNano"])
        if record.scope != c.SCOPE:  # the user's own, whatever its attributes are called
            self._last = max(self._last, end)
            return
        if c.TIMELINE_NAME in attributes:
            self._timeline.add((start, attributes[c.TIMELINE_NAME], end))
            return
        self._last = max(self._last, end)
        if attributes.get(c.SYNTHESISED):
            self._counts.synthesised += 1
        if c.OUTCOME not in attributes:
            return
        failure = span_failure(body)
        task = attributes.get(c.TASK_RUN_ID)
        if task is not None and c.ATTEMPT in attributes:
            self._tasks.attempt_ended(task, attributes[c.ATTEMPT], end, attributes, failure)
        elif task is not None:
            self._tasks.ended(task, end, attributes)
        else:
            self._run_failure = failure

    def _take_log(self, record: Record, attributes: Named, writer: str, *, added: bool) -> None:
        time = int(record.body["timeUnixNano"])
        if not added:
            self._last = max(self._last, time)
        elif c.LOG_IOSTREAM in attributes:
            self._counts.recovered += len(lines_of(record))
        event = record.body.get("eventName", "")
        if not event:
            return
        task, attempt = attributes.get(c.TASK_RUN_ID, ""), attributes.get(c.ATTEMPT, 0)
        name = attributes.get(c.VALUE_NAME, "")
        sealer = record.resource_attributes.get(c.WRITER_ROLE) == _SEALER
        body = from_any_value(record.body.get("body", {}))
        # Two writers may share a nanosecond; the order of reading must not matter.
        when = (time, writer, int(attributes.get(c.SEQ, 0)))
        if event in BY_EVENT:
            self._tasks.value(BY_EVENT[event], task, name, when, body, attributes.get(c.METRIC_STEP))
            return
        match event:
            case c.EVENT_RUN_STARTED:
                self._run = (record, attributes)
            case c.EVENT_RUN_ENDED:
                self._run_finished = (time, attributes)
            case c.EVENT_TASK_SUBMITTED:
                self._tasks.submitted(task, time, record)
            case c.EVENT_ATTEMPT_STARTED:
                self._tasks.attempt_started(task, attempt, time, record)
            case c.EVENT_ATTEMPT_RESOLVED:
                self._tasks.attempt_resolved(task, attempt, time, attributes)
            case c.EVENT_ARTIFACT:
                self._tasks.artifact(task, attempt, name, when, attributes)
            case c.EVENT_MILESTONE:
                self._timeline.add((time, str(body), 0))
            case c.EVENT_RECEIPT if sealer:
                self._receipt[writer, when[2]] = attributes
            case c.EVENT_LEDGER if sealer:
                self._counts.ledger(when, attributes)
            case c.EVENT_NOT_CAPTURED:
                self._counts.not_captured(str(body), int(attributes.get(c.NOT_CAPTURED_COUNT, 1)))
            case c.EVENT_SEALED if sealer:
                self._sealed = attributes

    def build(self) -> Facts:
        """Return the facts.

        Raises:
            RecordError: the records do not say which run they belong to.
        """
        return Facts(self._bounded()[0], self.lines)

    def head(self) -> Manifest:
        """Return the manifest of the run, without files.

        Raises:
            RecordError: the records do not say which run they belong to.
        """
        return self._bounded()[0]

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the run's rows: what the head has no room for, then all that is of a task."""
        yield from self._bounded()[1]
        for kind, row in self._tasks.rows():
            yield row_line(kind, row)

    def _bounded(self) -> tuple[Manifest, list[bytes]]:
        if self._run is None:
            raise RecordError("the records do not hold the start of a run")
        totals = self._tasks.totals()
        whole = Manifest(
            run=self._run_info(*self._run),
            verdict=self._verdict(self._run[1]),
            counts=self._counts.build(self._sealed),
            totals=totals,
            metrics=self._tasks.newest_metrics(METRICS),
            timeline=[
                TimelineEntry(name=name, time=rfc3339(time), end=_time(end))
                for time, name, end in sorted(self._timeline)
            ],
            receipt=[_receipt(self._receipt[key]) for key in sorted(self._receipt)],
            environment=_environment(self._run[1]) | _environment(self._sealed),
            sealed=_time(self._sealed.get(c.SEALED_AT, 0)),
            files=[],
        )
        return bounded(whole)

    def _run_info(self, record: Record, started: Named) -> RunInfo:
        resource = record.resource_attributes
        return RunInfo(
            uid=resource[c.PIPELINE_RUN_ID],
            pipeline=started[c.PIPELINE_NAME],
            name=started[c.RUN_NAME],
            created=rfc3339(started[c.RUN_CREATED]),
            entrypoint=started[c.RUN_ENTRYPOINT],
            parameters=decode_attribute(started, c.RUN_PARAMETERS, dict),
            tags=decode_attribute(started, c.RUN_TAGS, dict),
            trace_id=record.body["traceId"],
            version=resource[c.SERVICE_VERSION],
        )

    def _verdict(self, started: Named) -> VerdictInfo:
        counts = self._tasks.outcomes()
        if self._run_finished is not None:
            end, attributes = self._run_finished
            outcome, message = read_outcome(attributes[c.OUTCOME]), attributes[c.RUN_MESSAGE]
        elif self._sealed:
            end, outcome = self._last, Outcome.RUNNER_LOST
            done = counts[Outcome.SUCCEEDED.value]
            message = (
                f"the runner died before it ended the run; {done} of {counts.total()} tasks had "
                f"succeeded; its last sign of life is of {rfc3339(self._last)}"
            )
        else:
            end, outcome, message = self._last, Outcome.UNFINISHED, "still running"
        begin = started[c.RUN_CREATED]
        return VerdictInfo(
            outcome=outcome,
            message=message,
            started=rfc3339(begin),
            ended=rfc3339(end),
            duration_seconds=round((end - begin) / 1e9, 3),
            tasks=dict(sorted(counts.items())),
            failure=self._run_failure,
        )


def build_facts(records: Iterable[Record]) -> Facts:
    """Return the facts of a run's records, duplicates taken out by writer and number."""
    builder = FactsBuilder()
    seen = NumbersSeen()
    for record in records:
        if seen.add(*record.identity):
            builder.take(record)
    return builder.build()


def _time(unix_nano: int) -> str:
    return rfc3339(unix_nano) if unix_nano else ""


def _environment(said: Named) -> dict[str, Any]:
    return decode_attribute(said, c.RUN_ENVIRONMENT, dict) if c.RUN_ENVIRONMENT in said else {}


def _receipt(said: Named) -> ReceiptEntry:
    return ReceiptEntry(
        object=said[c.RECEIPT_OBJECT],
        uid=said[c.RECEIPT_UID],
        count=said[c.RECEIPT_COUNT],
        created=rfc3339(said[c.RECEIPT_CREATED]),
        removed=_time(said.get(c.RECEIPT_REMOVED, 0)),
    )
