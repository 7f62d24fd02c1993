"""What a run's records say of its tasks, in any order; and that as rows, in the order of the calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.record.known_outcomes import read_outcome
from vaportrail.record.metric_series import MetricSeries
from vaportrail.record.otlp_lines import Record
from vaportrail.record.rows import (
    OWNED,
    ArtifactInfo,
    AttemptInfo,
    Edge,
    MetricInfo,
    RowKind,
    TaskInfo,
    ValueInfo,
)
from vaportrail.record.times import rfc3339
from vaportrail.storage.layout import artifact_path
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.exceptions import read_failure
from vaportrail.telemetry.json_attributes import decode_attribute
from vaportrail.telemetry.log_types import VALUE_TYPES, VALUES, ValueType

__all__ = ["Row", "TaskFacts", "When"]

Named = Mapping[str, Any]
When = tuple[int, str, int]
"""A moment in nanoseconds, the process that said it, its number there: no two records share all three."""
Row = tuple[RowKind, TaskInfo | AttemptInfo | ValueInfo | MetricInfo | ArtifactInfo]
_CALL = (c.TASK_NAME, c.TASK_KIND, c.TASK_ARGUMENTS, c.TASK_OPTIONS, c.TASK_EDGES, c.TASK_ALLOW_FAILURE)


@dataclass(slots=True)
class _Attempt:
    began: int = 0
    pid: int = 0
    node: str = ""
    host: str = ""
    writer: str = ""
    span_id: str = ""
    ended: int = 0
    outcome: Outcome = Outcome.UNFINISHED
    failure: Failure | None = None
    resolved: bool = False
    """The runner's word of its end counts: it saw what the process could not say."""


class _OfTask:
    """All that is of one task, or of the pipeline's body; a slot for what it logged of each type."""

    __slots__ = (
        "called", "span_id", "call", "ended", "outcome", "cause", "attempts", "artifacts",
        *(each.many for each in VALUE_TYPES),
    )  # fmt: skip

    def __init__(self) -> None:
        self.called = -1
        self.span_id = self.cause = ""
        self.call: tuple[Any, ...] = ()
        self.ended = 0
        self.outcome = Outcome.UNFINISHED
        self.attempts: dict[int, _Attempt] = {}
        self.artifacts: dict[tuple[int, str], tuple[When, Named]] | None = None
        for each in VALUE_TYPES:
            setattr(self, each.many, None)

    def logged(self, each: ValueType) -> dict[str, Any]:
        """Return what it logged of a type, by its names: `MetricSeries` of numbers, else `(When, value)`."""
        found: dict[str, Any] | None = getattr(self, each.many)
        if found is None:
            setattr(self, each.many, found := {})
        return found

    def in_order(self, each: ValueType) -> list[tuple[str, Any]]:
        """Return the same in the order of its names."""
        return sorted((getattr(self, each.many) or {}).items(), key=_first)


class TaskFacts:
    """Takes what records say of tasks."""

    def __init__(self) -> None:
        self._of: dict[str, _OfTask] = {}

    def _owner(self, task: str) -> _OfTask:
        found = self._of.get(task)
        if found is None:
            found = self._of[task] = _OfTask()
        return found

    def _attempt(self, task: str, attempt: int) -> _Attempt:
        return self._owner(task).attempts.setdefault(attempt, _Attempt())

    def submitted(self, task: str, time: int, record: Record) -> None:
        """Take the call of a task."""
        mine, named = self._owner(task), record.attributes
        mine.called, mine.span_id = time, str(record.body["spanId"])
        mine.call = tuple(named[name] for name in _CALL)

    def ended(self, task: str, time: int, named: Named) -> None:
        """Take the end of a task."""
        mine = self._owner(task)
        mine.ended, mine.outcome = time, read_outcome(named[c.OUTCOME])
        mine.cause = str(named.get(c.TASK_CAUSE, ""))

    def attempt_started(self, task: str, attempt: int, time: int, record: Record) -> None:
        """Take the first word of an attempt."""
        mine, named, process = self._attempt(task, attempt), record.attributes, record.resource_attributes
        mine.began, mine.span_id = time, str(record.body["spanId"])
        mine.pid, mine.node = named.get(c.PROCESS_PID, 0), str(named.get(c.NODE_ID, ""))
        mine.host, mine.writer = str(process.get(c.HOST_NAME, "")), str(process.get(c.WRITER_ID, ""))

    def attempt_ended(
        self, task: str, attempt: int, time: int, named: Named, failure: Failure | None
    ) -> None:
        """Take the end of an attempt in its own process's words."""
        mine = self._attempt(task, attempt)
        if not mine.resolved:
            mine.ended, mine.outcome, mine.failure = time, read_outcome(named[c.OUTCOME]), failure

    def attempt_resolved(self, task: str, attempt: int, time: int, named: Named) -> None:
        """Take the end of an attempt in the runner's words."""
        mine = self._attempt(task, attempt)
        mine.resolved = True
        mine.ended, mine.outcome = time, read_outcome(named[c.OUTCOME])
        mine.failure = read_failure(named)

    def value(
        self, logged: ValueType, task: str, name: str, when: When, value: Any, step: int | None
    ) -> None:
        """Take a logged value; of several of one name the latest, or where they are numbers all of them."""
        known = self._owner(task).logged(logged)
        if not logged.numbers:
            _keep_latest(known, name, when, value)
            return
        series = known.get(name)
        if series is None:
            series = known[name] = MetricSeries()
        series.take((when[0], when[2], when[1]), float(value), step)

    def artifact(self, task: str, attempt: int, name: str, when: When, said: Named) -> None:
        """Take a stored file; of several of one name and attempt the latest."""
        mine = self._owner(task)
        if mine.artifacts is None:
            mine.artifacts = {}
        _keep_latest(mine.artifacts, (attempt, name), when, said)

    def outcomes(self) -> Counter[str]:
        """Return how many tasks ended how."""
        return Counter(mine.outcome.value for mine in self._of.values() if mine.called >= 0)

    def totals(self) -> dict[str, int]:
        """Return how many rows of each kind there are."""
        counts: Counter[RowKind] = Counter(dict.fromkeys(OWNED, 0))
        for mine in self._of.values():
            counts["task"] += mine.called >= 0
            counts["attempt"] += len(mine.attempts)
            for each in VALUE_TYPES:
                counts[each.kind] += len(getattr(mine, each.many) or ())
            counts["artifact"] += len(mine.artifacts or ())
        return {OWNED[kind]: count for kind, count in counts.items()}

    def newest_metrics(self, most: int) -> list[MetricInfo]:
        """Return the body's metrics and the ones last logged, in the order of their rows."""
        found = (
            (task, name, series)
            for task, mine in self._of.items()
            for name, series in mine.in_order(VALUES["metric"])
        )
        chosen = nlargest(most, found, key=lambda each: (not each[0], each[2].last_when, each[:2]))
        place = {task: at for at, task in enumerate(self._order())} if len(chosen) > 1 else {}
        chosen.sort(key=lambda each: (place.get(each[0], 0), each[1]))
        return [series.info(task, name) for task, name, series in chosen]

    def rows(self) -> Iterator[Row]:
        """Yield all rows: the body's, those of no known task, each task's in the order of the calls."""
        for task in self._order():
            yield from _rows(task, self._of[task])

    def _order(self) -> list[str]:
        def place(task: str) -> tuple[bool, str, str]:
            called = self._of[task].called
            return called >= 0, rfc3339(called) if called >= 0 else "", task

        return sorted(self._of, key=place)


def _rows(task: str, mine: _OfTask) -> Iterator[Row]:
    if mine.called >= 0:
        yield "task", _task(task, mine)
    for number in sorted(mine.attempts):
        yield "attempt", _attempt_info(task, number, mine.attempts[number])
    for each in VALUE_TYPES:
        for name, found in mine.in_order(each):
            row = found.info(task, name) if each.numbers else ValueInfo(task=task, name=name, value=found[1])
            yield each.kind, row
    for (attempt, name), (_, said) in sorted((mine.artifacts or {}).items(), key=_first):
        yield "artifact", _artifact(task, attempt, name, said)


def _first(item: tuple[Any, Any]) -> Any:
    return item[0]


def _task(task: str, mine: _OfTask) -> TaskInfo:
    said = dict(zip(_CALL, mine.call, strict=True))
    return TaskInfo(
        id=task,
        name=said[c.TASK_NAME],
        kind=said[c.TASK_KIND],
        outcome=mine.outcome,
        arguments=decode_attribute(said, c.TASK_ARGUMENTS, dict),
        options=decode_attribute(said, c.TASK_OPTIONS, dict),
        upstream=[Edge.model_validate(edge) for edge in decode_attribute(said, c.TASK_EDGES, list)],
        attempts=len(mine.attempts),
        submitted=rfc3339(mine.called),
        ended=rfc3339(mine.ended) if mine.ended else "",
        cause=mine.cause,
        allow_failure=bool(said[c.TASK_ALLOW_FAILURE]),
        span_id=mine.span_id,
    )


def _attempt_info(task: str, number: int, mine: _Attempt) -> AttemptInfo:
    return AttemptInfo(
        task=task, attempt=number, outcome=mine.outcome,
        started=rfc3339(mine.began) if mine.began else "",
        ended=rfc3339(mine.ended) if mine.ended else "",
        failure=mine.failure, host=mine.host, pid=mine.pid, node=mine.node, writer=mine.writer,
        span_id=mine.span_id,
    )  # fmt: skip


def _artifact(task: str, attempt: int, name: str, said: Named) -> ArtifactInfo:
    sha256 = said[c.ARTIFACT_SHA256]
    return ArtifactInfo(
        task=task, attempt=attempt, name=name, kind=said[c.ARTIFACT_KIND], path=artifact_path(sha256),
        sha256=sha256, size=said[c.ARTIFACT_SIZE], media_type=said[c.ARTIFACT_MEDIA_TYPE],
    )  # fmt: skip


def _keep_latest(into: dict[Any, tuple[When, Any]], key: Any, when: When, value: Any) -> None:
    if key not in into or into[key][0] <= when:
        into[key] = (when, value)
