"""What the sealer adds for processes that died: the rest of their output, and ends for open spans.

Pure: it is shown every record of the run and then says what is missing. What it adds is marked as
the sealer's own and never counted as made by the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vaportrail.contract.otlp_signals import IN_LEDGERS
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.known_outcomes import read_outcome
from vaportrail.record.otlp_lines import Record
from vaportrail.record.seal.infrastructure import interval_span, receipt_values
from vaportrail.record.seal.missing_writers import MissingWriters
from vaportrail.record.seal.open_spans import OpenSpan, never_started
from vaportrail.record.seal.operator_report import ReportedInterval
from vaportrail.record.seal.spool_plan import LedgerEntry, SealPlan
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import exception_event, read_failure
from vaportrail.telemetry.identity import run_span_id, trace_id
from vaportrail.telemetry.json_attributes import encode_attribute
from vaportrail.telemetry.otlp_json import INFO, log_record
from vaportrail.telemetry.output import SEVERITY, OutputWatch, Stream
from vaportrail.telemetry.recorder import SERVER, run_values
from vaportrail.telemetry.redact import Finder
from vaportrail.telemetry.values import attributes

__all__ = ["Completion"]

_DIED: Final = "its process died before it ended"
_FORGOTTEN: Final = "it was never ended"
_UNWRITTEN: Final = "its end could not be written"


@dataclass(slots=True)
class Completion:
    """Watches a run's records go by, then yields what a sealer has to add."""

    plan: SealPlan
    _open: dict[str, OpenSpan] = field(default_factory=dict)
    _resolved: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    _output: defaultdict[str, OutputWatch] = field(default_factory=lambda: defaultdict(OutputWatch))
    _finished: set[str] = field(default_factory=set)
    _lived_until: dict[tuple[object, ...], int] = field(default_factory=dict)
    """When a process itself last said that something of ours ended, by the attempt that it was of."""
    _missing_writers: MissingWriters = field(default_factory=MissingWriters)
    _begun: bool = False
    _run_end: tuple[Outcome, str] | None = None
    """How the runner said that the run ended, and why."""
    _task_ends: dict[str, Outcome] = field(default_factory=dict)
    _attempt_ends: dict[str, tuple[int, Outcome]] = field(default_factory=dict)
    """How the last attempt of a task ended that is known to have."""
    _runner_lost: bool = False
    _last: int = 0
    _trace_id: str = ""
    _seq: int = 0
    unreadable: int = 0
    """Lines of the spool that held no record."""
    unread_files: int = 0
    """Processes whose output was left out."""

    def see(self, record: Record) -> None:
        """Take note of one record."""
        body = record.body
        self._trace_id = self._trace_id or body.get("traceId", "")
        if record.kind == "L" or (record.kind == "T" and record.scope == c.SCOPE):
            self._missing_writers.see(record.kind, body.get("eventName", ""), record.attributes)
        if record.kind == "T":
            self._finished.add(body["spanId"])
            self._open.pop(body["spanId"], None)
            self._output[record.writer].see("T", body, record.attributes)
            end = int(body["endTimeUnixNano"])
            if record.scope == c.SCOPE:
                self._lived_until[_place(record.writer, record.attributes)] = end
                self._see_end(record.attributes)
            self._last = max(self._last, end)
            return
        if record.kind != "L":
            return
        time = int(body["timeUnixNano"])
        self._last = max(self._last, time)
        named = record.attributes
        self._output[record.writer].see("L", body, named)
        if c.SPAN_NAME in named and body["spanId"] not in self._finished:
            self._open[body["spanId"]] = OpenSpan(time, body["spanId"], named, record.writer)
        match body.get("eventName"):
            case c.EVENT_RUN_STARTED:
                self._begun = True
            case c.EVENT_RUN_ENDED:
                self._run_end = read_outcome(named[c.OUTCOME]), named[c.RUN_MESSAGE]
            case c.EVENT_ATTEMPT_RESOLVED:
                self._resolved[body["spanId"]] = (time, named)
                self._see_attempt(named)

    def _see_end(self, named: Mapping[str, Any]) -> None:
        if not {c.TASK_RUN_RESULT, c.TASK_RUN_ID, c.OUTCOME} <= named.keys():
            return
        if c.ATTEMPT in named:
            self._see_attempt(named)
        else:
            self._task_ends[named[c.TASK_RUN_ID]] = read_outcome(named[c.OUTCOME])

    def _see_attempt(self, named: Mapping[str, Any]) -> None:
        task, end = named[c.TASK_RUN_ID], (named[c.ATTEMPT], read_outcome(named[c.OUTCOME]))
        self._attempt_ends[task] = max(end, self._attempt_ends.get(task, end), key=lambda each: each[0])

    def read_up_to(self, writer: str, stream: Stream) -> int:
        """Return how many bytes of a process's output had become records."""
        return self._output[writer].read.get(stream, 0)

    def output_blocks(
        self,
        writer: str,
        stream: Stream,
        rest: bytes,
        *,
        final: bool = True,
        secrets: Finder | None = None,
    ) -> Iterator[Record]:
        """Yield log records of the output that its process had no time to record itself.

        Args:
            writer: the process.
            stream: which of its two.
            rest: the bytes that follow what `read_up_to` says.
            final: nothing follows them; else what may go on is left for the next piece.
            secrets: what the process left word of.
        """
        severity = SEVERITY[stream]
        for each in self._output[writer].rest(writer, stream, rest, final=final, secrets=secrets):
            yield self._log(
                each.text, stream, each.values, time=self._last, severity=severity, span_id=each.span_id
            )

    def adopt(self, record: Record) -> Record:
        """Return a log record that a shipper made of such output, as the sealer's own."""
        numbered = attributes({**record.attributes, c.SEQ: self._next()})
        return Record("L", self._resource, record.scope, {**record.body, "attributes": numbered})

    def start(self) -> Iterator[Record]:
        """Yield the start of the run, from the settings, where the runner's own word of it is gone."""
        if self._begun:
            return
        self._runner_lost = True
        identity = self.plan.settings.identity
        values = {
            c.SPAN_NAME: f"RUN {identity.pipeline}",
            c.SPAN_PARENT: "",
            c.SPAN_KIND: SERVER,
            **run_values(identity, self.plan.settings.incarnation),
        }
        time, span_id = identity.created_unix_nano, run_span_id(identity.uid)
        self._trace_id = self._trace_id or trace_id(identity.uid)
        record = self._log(None, c.SCOPE, values, event=c.EVENT_RUN_STARTED, time=time, span_id=span_id)
        self.see(record)
        yield record

    def end(self) -> Iterator[Record]:
        """Yield the end of the run in the operator's words, where the runner said nothing of it."""
        report = self.plan.report
        if report is None or self._run_end is not None:
            return
        values = {
            c.OUTCOME: report.outcome.value,
            c.RUN_MESSAGE: report.message or "the runner did not say how the run ended",
        }
        if self._runner_lost:
            # Nothing ran: it lasted as long as its infrastructure.
            self._last = max([self._last, *(stretch.end_unix_nano for stretch in report.timeline)])
        settings = self.plan.settings
        yield self._log(
            None,
            c.SCOPE,
            values,
            event=c.EVENT_RUN_ENDED,
            time=self._last,
            span_id=run_span_id(settings.identity.uid),
        )

    def infrastructure(self) -> Iterator[Record]:
        """Yield what the operator saw of the run's infrastructure: its stretches, and its receipt."""
        report, uid = self.plan.report, self.plan.settings.identity.uid
        if report is None:
            return
        for index, interval in enumerate(report.timeline):
            yield Record("T", self._resource, c.SCOPE, self._interval(interval, index))
        for entry in report.receipt:
            values = receipt_values(entry)
            yield self._log(None, c.SCOPE, values, event=c.EVENT_RECEIPT, span_id=run_span_id(uid))

    def _interval(self, interval: ReportedInterval, index: int) -> dict[str, Any]:
        uid = self.plan.settings.identity.uid
        return interval_span(interval, index, uid=uid, trace_id=self._trace_id, seq=self._next())

    def spans(self) -> Iterator[Record]:
        """Yield ends for the spans that never ended; call it after every record was seen.

        A span still open at the seal ended with its process, at the latest when the last record of
        the run was written, or when the runner resolved the attempt. Where its process lived to say
        that the attempt, the cell or the run around it ended, it is a span that nobody ended.
        """
        for span_id, (time, said) in self._resolved.items():
            if span_id not in self._finished and span_id not in self._open:
                self._open[span_id] = OpenSpan(time, span_id, never_started(said, self.plan.settings))
        for span in sorted(self._open.values(), key=lambda s: (s.start, s.span_id)):
            yield self._span(span)

    def _span(self, span: OpenSpan) -> Record:
        resolved = self._resolved.get(span.span_id)
        said = span.values
        around = self._lived_until.get(_place(span.writer, said), 0)
        forgotten = around > span.start
        last = around if forgotten else self._last
        end = max(span.start, resolved[0] if resolved else last)
        values: dict[str, Any] = {c.SYNTHESISED: True}
        for key in (c.TASK_NAME, c.TASK_RUN_ID, c.ATTEMPT, c.CELL_NUMBER, c.CELL_SOURCE):
            if key in said:
                values[key] = said[key]
        failure: Failure | None = None
        why = _FORGOTTEN if forgotten else _DIED
        if resolved is not None:
            outcome = read_outcome(resolved[1][c.OUTCOME])
            failure = read_failure(resolved[1])
        else:
            outcome = self._otherwise_known(said)
        engine = c.STDOUT_OFFSET in said or c.TASK_KIND in said or c.SCHEMA in said
        if engine and resolved is None and self._run_end is not None:
            why = f"{_UNWRITTEN}; the run: {self._run_end[1]}"
        if engine:
            values[c.OUTCOME] = outcome.value
            values[c.ERROR_TYPE] = failure.type if failure is not None else outcome.value
        if c.SCHEMA in said:
            values |= {c.PIPELINE_ACTION_NAME: "RUN", c.PIPELINE_RESULT: outcome.cicd_result}
            values[c.PIPELINE_NAME] = said[c.PIPELINE_NAME]
        elif engine:
            values[c.TASK_RUN_RESULT] = outcome.cicd_result
        body: dict[str, Any] = {"traceId": self._trace_id, "spanId": span.span_id}
        if said.get(c.SPAN_PARENT):
            body["parentSpanId"] = said[c.SPAN_PARENT]
        body |= {
            "name": said[c.SPAN_NAME],
            "kind": said[c.SPAN_KIND],
            "startTimeUnixNano": str(span.start),
            "endTimeUnixNano": str(end),
            "attributes": attributes({**values, c.SEQ: self._next()}),
            "status": {"code": 2, "message": why},
        }
        if failure is not None:
            body["events"] = [exception_event(failure, end)]
        return Record("T", self._resource, c.SCOPE, body)

    def _otherwise_known(self, said: Mapping[str, Any]) -> Outcome:
        """Return how something ended of which nobody could write the end, by what else was written."""
        if self._run_end is None:
            report = self.plan.report
            return report.outcome if c.SCHEMA in said and report is not None else Outcome.RUNNER_LOST
        run = self._run_end[0]
        task = said.get(c.TASK_RUN_ID, "")
        if c.SCHEMA in said:
            return run
        if c.TASK_KIND in said and task in self._attempt_ends:
            return self._attempt_ends[task][1]
        if c.STDOUT_OFFSET in said and task in self._task_ends:
            return self._task_ends[task]
        return Outcome.RUNNER_LOST if run.ok else run

    def ledgers(self, entries: list[LedgerEntry]) -> Iterator[Record]:
        """Yield what each writer counted, who was never heard of, and the seal itself."""
        for entry in (*entries, *self._missing_writers.entries(self.plan)):
            values = {
                c.LEDGER_WRITER: entry.writer,
                c.LEDGER_STATE: entry.state,
                c.LEDGER_COUNTED_AT: entry.counted_at_unix_nano or None,
                **{signal.counter: entry.made.get(signal.kind, 0) for signal in IN_LEDGERS},
            }
            yield self._log(None, c.SCOPE, values, event=c.EVENT_LEDGER)
        report = self.plan.report
        sealed = {
            c.SEALED_AT: self.plan.sealed_at_unix_nano,
            c.SEAL_UNREADABLE_PARTS: self.plan.unreadable_parts + self.unread_files or None,
            c.SEAL_UNREADABLE_RECORDS: self.unreadable or None,
            c.RUN_ENVIRONMENT: encode_attribute(report.environment)
            if report and report.environment
            else None,
        }
        yield self._log(None, c.SCOPE, sealed, event=c.EVENT_SEALED)

    def _log(
        self,
        body: str | None,
        scope: str,
        values: dict[str, Any],
        *,
        event: str = "",
        time: int | None = None,
        severity: tuple[int, str] = INFO,
        span_id: str = "",
    ) -> Record:
        record = log_record(
            body,
            {**values, c.SEQ: self._next()},
            unix_nano=self.plan.sealed_at_unix_nano if time is None else time,
            observed_unix_nano=self.plan.sealed_at_unix_nano,
            severity=severity,
            trace_id=self._trace_id,
            span_id=span_id,
            event=event,
        )
        return Record("L", self._resource, scope, record)

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    @property
    def _resource(self) -> dict[str, Any]:
        identity = self.plan.settings.identity
        values = {
            c.SERVICE_NAME: "vaportrail",
            c.SERVICE_VERSION: self.plan.version,
            c.PIPELINE_NAME: identity.pipeline,
            c.PIPELINE_RUN_ID: identity.uid,
            c.WRITER_ID: "sealer",
            c.WRITER_ROLE: "sealer",
        }
        return {"attributes": attributes(values)}


def _place(writer: str, named: Mapping[str, Any]) -> tuple[object, ...]:
    """Return in which attempt of which process something is, by its attributes."""
    return writer, named.get(c.TASK_RUN_ID), named.get(c.ATTEMPT)
