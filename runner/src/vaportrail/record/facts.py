"""From a run's records to its facts: the manifest without its hashes. Pure, whatever the order.

The sealer, the reader of a live run and the check that a manifest follows from its OTLP files all
use this one function.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.errors import RecordError
from vaportrail.record.loss import loss_reasons
from vaportrail.record.manifest import (
    ArtifactInfo,
    AttemptInfo,
    Counts,
    Edge,
    Facts,
    MetricInfo,
    ReceiptEntry,
    RunInfo,
    SignalCount,
    TaskInfo,
    TimelineEntry,
    ValueInfo,
    VerdictInfo,
)
from vaportrail.record.otlp_lines import Record
from vaportrail.record.times import rfc3339
from vaportrail.storage.layout import artifact_path
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.json_attributes import decode_attribute
from vaportrail.telemetry.recorder import read_failure, span_failure
from vaportrail.telemetry.spool import Kind
from vaportrail.telemetry.values import from_any_value

__all__ = ["FactsBuilder", "build_facts"]

_SEALER = "sealer"
_ADDED = (_SEALER, "shipper")
"""Roles of those who add to what the run itself made; what they add is not counted as made."""
_SIGNAL_NAME: Mapping[Kind, str] = {"L": "logs", "T": "spans"}
_COUNTERS: Mapping[Kind, str] = {
    "L": c.LEDGER_MADE_LOGS, "T": c.LEDGER_MADE_SPANS, "M": c.LEDGER_MADE_METRICS
}  # fmt: skip
Named = dict[str, Any]
_When = tuple[int, str, int]
_Key = TypeVar("_Key", bound=tuple[Any, ...])


@dataclass(slots=True)
class _TaskEnd:
    """What a span of the engine says: when, how, why."""

    start: int
    end: int
    attributes: Named
    failure: Failure | None


@dataclass(slots=True)
class _Series:
    points: list[tuple[int, int, float, int | None]] = field(default_factory=list)


class _Order:
    """Sorts keys that begin with a task's id as the tasks were called; the pipeline's own first."""

    def __init__(self, tasks: list[TaskInfo]) -> None:
        self._place = {task.id: index for index, task in enumerate(tasks)}

    def of(self, keys: Iterable[_Key]) -> list[_Key]:
        return sorted(keys, key=lambda key: (self._place.get(key[0], -1), key))


class FactsBuilder:
    """Takes records one by one, in any order, and says what they amount to."""

    def __init__(self) -> None:
        self._run: tuple[Record, Named] | None = None
        self._run_failure: Failure | None = None
        self._run_finished: tuple[int, Named] | None = None
        self._tasks: dict[str, tuple[int, str, Named]] = {}
        self._task_spans: dict[str, _TaskEnd] = {}
        self._starts: dict[tuple[str, int], tuple[int, Record, Named]] = {}
        self._attempt_spans: dict[tuple[str, int], _TaskEnd] = {}
        self._resolved: dict[tuple[str, int], tuple[int, Named]] = {}
        self._params: dict[tuple[str, str], tuple[_When, Any]] = {}
        self._tags: dict[tuple[str, str], tuple[_When, Any]] = {}
        self._metrics: dict[tuple[str, str], _Series] = {}
        self._artifacts: dict[tuple[str, int, str], tuple[_When, Named]] = {}
        self._timeline: set[tuple[int, str, int]] = set()
        self._receipt: dict[tuple[str, int], Named] = {}
        self._recorded: Counter[tuple[str, Kind]] = Counter()
        self._ledgers: dict[str, tuple[_When, Named]] = {}
        self._not_captured: Counter[str] = Counter()
        self._sealed: Named = {}
        self._synthesised = 0
        self._recovered = 0
        self._last = 0

    def take(self, record: Record) -> None:
        """Take one record (without duplicates: see `Record.identity`)."""
        attributes, resource = record.attributes, record.resource_attributes
        writer = str(resource.get(c.WRITER_ID, ""))
        added = resource.get(c.WRITER_ROLE) in _ADDED
        if not added:
            self._recorded[writer, record.kind] += 1
        if record.kind == "T":
            self._take_span(record, attributes)
        elif record.kind == "L":
            self._take_log(record, attributes, writer, added=added)

    def _take_span(self, record: Record, attributes: Named) -> None:
        body = record.body
        start, end = int(body["startTimeUnixNano"]), int(body["endTimeUnixNano"])
        if c.TIMELINE_NAME in attributes:
            self._timeline.add((start, attributes[c.TIMELINE_NAME], end))
            return
        self._last = max(self._last, end)
        if attributes.get(c.SYNTHESISED):
            self._synthesised += 1
        if c.OUTCOME not in attributes:
            return
        ended = _TaskEnd(start, end, attributes, span_failure(body))
        task = attributes.get(c.TASK_RUN_ID)
        if task is not None and c.ATTEMPT in attributes:
            self._attempt_spans[task, attributes[c.ATTEMPT]] = ended
        elif task is not None:
            self._task_spans[task] = ended
        else:
            self._run_failure = ended.failure

    def _take_log(self, record: Record, attributes: Named, writer: str, *, added: bool) -> None:
        time = int(record.body["timeUnixNano"])
        if not added:
            self._last = max(self._last, time)
        elif c.LOG_IOSTREAM in attributes:
            self._recovered += 1
        task, attempt = attributes.get(c.TASK_RUN_ID, ""), attributes.get(c.ATTEMPT, 0)
        name = attributes.get(c.VALUE_NAME, "")
        sealer = record.resource_attributes.get(c.WRITER_ROLE) == _SEALER
        body = from_any_value(record.body.get("body", {}))
        # Two writers may share a nanosecond; the order of reading must not matter.
        when = (time, writer, int(attributes.get(c.SEQ, 0)))
        match record.body.get("eventName", ""):
            case c.EVENT_RUN_STARTED:
                self._run = (record, attributes)
            case c.EVENT_RUN_ENDED:
                self._run_finished = (time, attributes)
            case c.EVENT_TASK_SUBMITTED:
                self._tasks[task] = (time, record.body["spanId"], attributes)
            case c.EVENT_ATTEMPT_STARTED:
                self._starts[task, attempt] = (time, record, attributes)
            case c.EVENT_ATTEMPT_RESOLVED:
                self._resolved[task, attempt] = (time, attributes)
            case c.EVENT_PARAM:
                _keep_latest(self._params, (task, name), when, body)
            case c.EVENT_TAG:
                _keep_latest(self._tags, (task, name), when, body)
            case c.EVENT_METRIC:
                point = (time, attributes[c.SEQ], float(body), attributes.get(c.METRIC_STEP))
                self._metrics.setdefault((task, name), _Series()).points.append(point)
            case c.EVENT_ARTIFACT:
                _keep_latest(self._artifacts, (task, attempt, name), when, attributes)
            case c.EVENT_MILESTONE:
                self._timeline.add((time, str(body), 0))
            case c.EVENT_RECEIPT if sealer:
                self._receipt[writer, when[2]] = attributes
            case c.EVENT_LEDGER if sealer:
                _keep_latest(self._ledgers, attributes[c.LEDGER_WRITER], when, attributes)
            case c.EVENT_NOT_CAPTURED:
                self._not_captured[str(body)] += int(attributes.get(c.NOT_CAPTURED_COUNT, 1))
            case c.EVENT_SEALED if sealer:
                self._sealed = attributes

    def build(self) -> Facts:
        """Return the facts.

        Raises:
            RecordError: the records do not say which run they belong to.
        """
        if self._run is None:
            raise RecordError("the records do not hold the start of a run")
        attempts = Counter(task for task, _ in self._attempt_keys())
        tasks = [self._task(*item, attempts[item[0]]) for item in self._tasks.items()]
        tasks.sort(key=lambda task: (task.submitted, task.id))
        order = _Order(tasks)
        return Facts(
            run=self._run_info(*self._run),
            verdict=self._verdict(self._run[1], tasks),
            tasks=tasks,
            attempts=[self._attempt(*key) for key in order.of(self._attempt_keys())],
            params=[_value(key, self._params[key]) for key in order.of(self._params)],
            metrics=[_metric(key, self._metrics[key]) for key in order.of(self._metrics)],
            tags=[_value(key, self._tags[key]) for key in order.of(self._tags)],
            artifacts=[_artifact(key, self._artifacts[key][1]) for key in order.of(self._artifacts)],
            counts=self._counts(),
            timeline=[
                TimelineEntry(name=name, time=rfc3339(time), end=_time(end))
                for time, name, end in sorted(self._timeline)
            ],
            receipt=[_receipt(self._receipt[key]) for key in sorted(self._receipt)],
            environment=_environment(self._run[1]) | _environment(self._sealed),
            sealed=_time(self._sealed.get(c.SEALED_AT, 0)),
        )

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

    def _verdict(self, started: Named, tasks: list[TaskInfo]) -> VerdictInfo:
        counts = Counter(task.outcome.value for task in tasks)
        if self._run_finished is not None:
            end, attributes = self._run_finished
            outcome, message = Outcome(attributes[c.OUTCOME]), attributes[c.RUN_MESSAGE]
        elif self._sealed:
            end, outcome = self._last, Outcome.RUNNER_LOST
            done = counts[Outcome.SUCCEEDED.value]
            message = (
                f"the runner died before it ended the run; {done} of {len(tasks)} tasks had "
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

    def _task(self, task_id: str, submitted: tuple[int, str, Named], attempts: int) -> TaskInfo:
        time, span_id, said = submitted
        ended = self._task_spans.get(task_id)
        return TaskInfo(
            id=task_id,
            name=said[c.TASK_NAME],
            kind=said[c.TASK_KIND],
            outcome=Outcome(ended.attributes[c.OUTCOME]) if ended else Outcome.UNFINISHED,
            arguments=decode_attribute(said, c.TASK_ARGUMENTS, dict),
            options=decode_attribute(said, c.TASK_OPTIONS, dict),
            upstream=[Edge.model_validate(edge) for edge in decode_attribute(said, c.TASK_EDGES, list)],
            attempts=attempts,
            submitted=rfc3339(time),
            ended=rfc3339(ended.end) if ended else "",
            cause=str(ended.attributes.get(c.TASK_CAUSE, "")) if ended else "",
            allow_failure=bool(said[c.TASK_ALLOW_FAILURE]),
            span_id=span_id,
        )

    def _attempt_keys(self) -> set[tuple[str, int]]:
        return {*self._starts, *self._attempt_spans, *self._resolved}

    def _attempt(self, task: str, attempt: int) -> AttemptInfo:
        key = (task, attempt)
        span, resolved, begun = (
            self._attempt_spans.get(key), self._resolved.get(key), self._starts.get(key)
        )  # fmt: skip
        outcome, failure, end = Outcome.UNFINISHED, None, 0
        if span is not None:
            outcome, failure, end = Outcome(span.attributes[c.OUTCOME]), span.failure, span.end
        if resolved is not None:  # the driver's word: it saw what the process could not say
            end, said = resolved
            outcome, failure = Outcome(said[c.OUTCOME]), read_failure(said)
        resource = begun[1].resource_attributes if begun else {}
        said = begun[2] if begun else {}
        return AttemptInfo(
            task=task, attempt=attempt, outcome=outcome,
            started=rfc3339(begun[0]) if begun else "",
            ended=rfc3339(end) if end else "",
            failure=failure,
            host=str(resource.get(c.HOST_NAME, "")),
            pid=said.get(c.PROCESS_PID, 0),
            node=str(said.get(c.NODE_ID, "")),
            writer=str(resource.get(c.WRITER_ID, "")),
            span_id=str(begun[1].body["spanId"]) if begun else "",
        )  # fmt: skip

    def _counts(self) -> Counts:
        made: Counter[Kind] = Counter()
        recorded: Counter[Kind] = Counter()
        writers = {writer for writer, _ in self._recorded} | self._ledgers.keys()
        unsure: dict[str, int] = {}
        for writer in writers:
            _, ledger = self._ledgers.get(writer, (None, {}))
            if ledger.get(c.LEDGER_STATE) != "exact":
                unsure[writer] = ledger.get(c.LEDGER_COUNTED_AT, 0)
            for kind, counter in _COUNTERS.items():
                here = self._recorded[writer, kind]
                recorded[kind] += here
                made[kind] += max(here, ledger.get(counter, 0))
        signals = {
            name: SignalCount(made=made[kind], recorded=recorded[kind], lost=made[kind] - recorded[kind])
            for kind, name in _SIGNAL_NAME.items()
        }
        parts = self._sealed.get(c.SEAL_UNREADABLE_PARTS, 0)
        lines = self._sealed.get(c.SEAL_UNREADABLE_RECORDS, 0)
        unsure = unsure if self._sealed else {}
        reasons = loss_reasons(self._not_captured, unsure, parts, lines)
        lost = any(signal.lost for signal in signals.values())
        return Counts(
            **signals,
            loss="Unknown" if reasons else "Counted" if lost else "None",
            loss_reasons=reasons,
            synthesised_spans=self._synthesised,
            recovered_lines=self._recovered,
            unreadable_parts=parts,
            unreadable_records=lines,
            known_until=_time(min(unsure.values())) if unsure and not (parts or lines) else "",
        )


def build_facts(records: Iterable[Record]) -> Facts:
    """Return the facts of a run's records, duplicates taken out by writer and number."""
    builder = FactsBuilder()
    seen: set[tuple[str, int]] = set()
    for record in records:
        if record.identity not in seen:
            seen.add(record.identity)
            builder.take(record)
    return builder.build()


def _keep_latest(into: dict[Any, tuple[_When, Any]], key: Any, when: _When, value: Any) -> None:
    if key not in into or into[key][0] <= when:
        into[key] = (when, value)


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


def _value(key: tuple[str, str], found: tuple[_When, Any]) -> ValueInfo:
    return ValueInfo(task=key[0], name=key[1], value=found[1])


def _metric(key: tuple[str, str], series: _Series) -> MetricInfo:
    points = sorted(series.points, key=lambda point: point[:2])
    numbers = [value for _, _, value, _ in points if not math.isnan(value)] or [math.nan]
    return MetricInfo(
        task=key[0], name=key[1], count=len(points), last=points[-1][2], last_step=points[-1][3],
        min=min(numbers), max=max(numbers),
    )  # fmt: skip


def _artifact(key: tuple[str, int, str], said: Named) -> ArtifactInfo:
    sha256 = said[c.ARTIFACT_SHA256]
    return ArtifactInfo(
        task=key[0], attempt=key[1], name=key[2], kind=said[c.ARTIFACT_KIND],
        path=artifact_path(sha256), sha256=sha256, size=said[c.ARTIFACT_SIZE],
        media_type=said[c.ARTIFACT_MEDIA_TYPE],
    )  # fmt: skip
