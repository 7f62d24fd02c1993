"""A run as it is read: its tasks, values, lines and files, sealed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.record.label import id_label
from vaportrail.record.manifest import AttemptInfo, Facts, Manifest, TaskInfo
from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.stored import seal_command, still_arrives, stored_records
from vaportrail.record.seal.local_seal import is_alive
from vaportrail.record.spooled import live_records
from vaportrail.record.times import rfc3339
from vaportrail.record.verify import sealed_records
from vaportrail.storage.artifacts import Artifact
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.values import from_any_value

__all__ = ["IDLE_WORKER", "LogLine", "MetricPoint", "Run", "TaskRun"]

IDLE_WORKER: Final = "(worker)"
"""Whose the lines are that a worker printed while none of the run's tasks ran in it."""


_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log record or line of output.

    Attributes:
        time: RFC 3339 with nanoseconds.
        task: the task's id; empty for the pipeline's body; ``"(worker)"`` for what a worker said while none
            of the run's tasks ran in it.
        attempt: from 1; 0 where it is no task's.
        source: ``"stdout"``, ``"stderr"`` or the logger's name.
        severity: OpenTelemetry's severity text.
        text: the message.
    """

    time: str
    task: str
    attempt: int
    source: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One logged value of a metric; `step` is None where none was given."""

    task: str
    name: str
    value: float
    step: int | None
    time: str


@dataclass(frozen=True, slots=True, repr=False)
class TaskRun:
    """One task of a run: what it was called with, how it ended, what it logged."""

    run: Run
    info: TaskInfo

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def outcome(self) -> Outcome:
        return self.info.outcome

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Its arguments as recorded; upstream tasks read ``{"$task": id}``."""
        return self.info.arguments

    @property
    def attempts(self) -> Sequence[AttemptInfo]:
        """Its attempts, the first first."""
        return [attempt for attempt in self.run.facts.attempts if attempt.task == self.id]

    @property
    def params(self) -> dict[str, Any]:
        """What it logged with `log.param`."""
        return {v.name: v.value for v in self.run.facts.params if v.task == self.id}

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric it logged."""
        return {m.name: m.last for m in self.run.facts.metrics if m.task == self.id}

    def artifacts(self) -> Mapping[str, Artifact]:
        """Its stored files by name; of several attempts' the last one's."""
        return self.run.artifacts(task=self.id)

    def logs(self) -> Iterator[LogLine]:
        """Its log lines and output, in the order they were made."""
        return self.run.logs(task=self.id)

    def __repr__(self) -> str:
        return f"<TaskRun {id_label(self.id, self.arguments)} {self.outcome.value}>"


class Run:
    """A run, sealed or not. Get one with `vaportrail.open`, `vaportrail.runs` or `Pipeline.run`.

    Attributes:
        uri: the record's folder or URI.
        facts: all there is to know but the lines themselves; see the record format.
        manifest: the sealed manifest; None while the run is not sealed.
        spool: the spool's folder where a run of this machine is not sealed.
        stored: whose parts they are where a run of a cluster is not sealed.
        problems: what could not be read of it so far, a sentence each; all the rest was.
    """

    def __init__(
        self,
        uri: str,
        facts: Facts,
        *,
        manifest: Manifest | None = None,
        spool: Path | None = None,
        stored: RunSettings | None = None,
    ) -> None:
        self.uri = uri
        self.facts = facts
        self.manifest = manifest
        self.spool = spool
        self.problems: list[str] = []
        self.stored = stored
        self._result: Any = None
        self._no_result = "a record does not keep it; log what should outlive the run"

    @property
    def result(self) -> Any:
        """What the pipeline returned; only `Pipeline.run`'s run has it, of others a LookupError says why."""
        if self._no_result:
            raise LookupError(f"the result of run {self.name!r} is not here: {self._no_result}")
        return self._result

    def tell_result(self, value: Any = None, *, missing: str = "") -> None:
        """Say what the pipeline returned, or why that is missing."""
        self._result, self._no_result = value, missing

    @property
    def sealed(self) -> bool:
        return self.manifest is not None

    @property
    def alive(self) -> bool:
        """Whether the runner is still at it; of a cluster's, whether it may be."""
        if self.stored is not None:
            return self.outcome is Outcome.UNFINISHED and still_arrives(self.stored)
        return self.spool is not None and is_alive(self.spool)

    @property
    def seal_command(self) -> str:
        """The command that seals the run; empty where it is sealed or still seals itself."""
        if self.sealed or self.alive:
            return ""
        if self.stored is not None:
            return seal_command(self.stored)
        assert self.spool is not None
        return f"vaportrail seal {self.facts.run.uid} --record {self.spool.parent.parent}"

    @property
    def outcome(self) -> Outcome:
        return self.facts.verdict.outcome

    @property
    def name(self) -> str:
        return self.facts.run.name

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.facts.run.parameters

    @property
    def tags(self) -> Mapping[str, str]:
        """What it was called to find it by, in `--tag` or `tags=`; what tasks logged is in `facts.tags`."""
        return self.facts.run.tags

    @property
    def created(self) -> str:
        """When it was asked for: RFC 3339 in UTC."""
        return self.facts.run.created

    @property
    def duration(self) -> float:
        """Seconds that it took; of one that is not over, up to its last word so far."""
        return self.facts.verdict.duration_seconds

    @property
    def tasks(self) -> Sequence[TaskRun]:
        """Every task, in the order of their calls."""
        return [TaskRun(self, task) for task in self.facts.tasks]

    def task(self, task_id: str) -> TaskRun:
        """Return one task by its id.

        Raises:
            KeyError: there is none; the message names those there are.
        """
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(f"no task {task_id!r}; there are {', '.join(t.id for t in self.tasks)}")

    def metrics(
        self, name: str | None = None, *, best: Literal["min", "max"] | None = None
    ) -> list[MetricPoint]:
        """Return every logged metric value, in the order they were made.

        Args:
            name: only of this metric.
            best: only the smallest or the largest value of each metric.
        """
        points: list[tuple[int, int, MetricPoint]] = []
        for record in self._log_records():
            if record.body.get("eventName") == c.EVENT_METRIC:
                named = record.attributes
                if name is None or named[c.VALUE_NAME] == name:
                    time = int(record.body["timeUnixNano"])
                    point = MetricPoint(
                        named.get(c.TASK_RUN_ID, ""), named[c.VALUE_NAME],
                        float(from_any_value(record.body["body"])), named.get(c.METRIC_STEP), rfc3339(time),
                    )  # fmt: skip
                    points.append((time, named[c.SEQ], point))
        ordered = [point for _, _, point in sorted(points, key=lambda item: item[:2])]
        if best is None:
            return ordered
        chosen: dict[str, MetricPoint] = {}
        for point in ordered:
            current = chosen.get(point.name)
            better = current is None or (
                point.value < current.value if best == "min" else point.value > current.value
            )
            if better and point.value == point.value:
                chosen[point.name] = point
        return list(chosen.values())

    def logs(self, *, task: str | None = None) -> Iterator[LogLine]:
        """Yield log lines and output in the order they were made; `task` names one task's."""
        found: list[tuple[int, str, int, LogLine]] = []
        for record in self._log_records():
            if record.body.get("eventName"):
                continue
            named = record.attributes
            writer = named.get(c.LEDGER_WRITER) or record.resource_attributes.get(c.WRITER_ID, "")
            owner = named.get(c.TASK_RUN_ID, IDLE_WORKER if str(writer).startswith("worker-") else "")
            if task is not None and owner != task:
                continue
            time = int(record.body["timeUnixNano"])
            text = from_any_value(record.body.get("body", {}))
            if named.get(c.EXCEPTION_STACKTRACE):
                text = f"{text}\n{named[c.EXCEPTION_STACKTRACE].rstrip()}"
            line = LogLine(
                rfc3339(time), owner, named.get(c.ATTEMPT, 0), record.scope,
                record.body.get("severityText", ""), str(text),
            )  # fmt: skip
            found.append((time, writer, named[c.SEQ], line))
        for _, _, _, line in sorted(found, key=lambda item: item[:3]):
            yield line

    def artifacts(self, *, task: str | None = None) -> Mapping[str, Artifact]:
        """Return stored files by name; of one task where `task` names it.

        Where several tasks stored a file of the same name, the name is ``"task-id/name"``.
        """
        found: dict[str, Artifact] = {}
        entries = [a for a in self.facts.artifacts if task is None or a.task == task]
        owners: dict[str, set[str]] = {}
        for entry in entries:
            owners.setdefault(entry.name, set()).add(entry.task)
        for entry in entries:
            name = f"{entry.task}/{entry.name}" if len(owners[entry.name]) > 1 else entry.name
            found[name] = Artifact(
                entry.name, self.uri, entry.sha256, entry.size, entry.media_type, entry.kind
            )
        return found

    def _log_records(self) -> Iterator[Record]:
        if self.manifest is not None:
            return sealed_records(open_store(self.uri), self.manifest, "logs", unreadable=self._problem)
        if self.stored is not None:
            return (record for record in stored_records(self.stored) if record.kind == "L")
        assert self.spool is not None
        return (record for record in live_records(self.spool, self._problem) if record.kind == "L")

    def _problem(self, message: str) -> None:
        # They may be as many as its lines, and the same each time that it is read.
        if len(self.problems) < _PROBLEMS and message not in self.problems:
            self.problems.append(message)

    def __repr__(self) -> str:
        state = "sealed" if self.sealed else "not sealed"
        return f"<Run {self.facts.run.pipeline}/{self.name} {self.outcome.value}, {state}>"
