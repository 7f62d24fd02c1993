"""A run as it is read: its tasks, values, lines and files, sealed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, overload

from vaportrail.contract.otlp_signals import BY_KIND
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import UsageError
from vaportrail.record.label import id_label
from vaportrail.record.manifest import Manifest
from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.in_order import in_order
from vaportrail.record.reading.log_lines import IDLE_WORKER, LogLine, log_lines
from vaportrail.record.reading.metric_points import MetricPoint, best_of_each, metric_point
from vaportrail.record.reading.stored import seal_command, still_arrives, stored_records
from vaportrail.record.rows import AttemptInfo, TaskInfo
from vaportrail.record.run_facts import Facts
from vaportrail.record.seal.local_seal import is_alive
from vaportrail.record.spooled import live_records
from vaportrail.record.verify import sealed_records
from vaportrail.storage.artifacts import Artifact
from vaportrail.storage.store import open_store

__all__ = ["Run", "TaskRun"]

_PROBLEMS: Final = 100
_LINE: Final = attrgetter(*(each.name for each in fields(LogLine)))
_POINT: Final = attrgetter(*(each.name for each in fields(MetricPoint)))
_NAMED: Final = 50
_SHOWN: Final = 100
"""Tasks that are named where all are meant."""


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
        return self.run.facts.table.of(self.id, "attempt")

    @property
    def params(self) -> dict[str, Any]:
        """What it logged with `log.param`."""
        return {v.name: v.value for v in self.run.facts.table.of(self.id, "param")}

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric it logged."""
        return {m.name: m.last for m in self.run.facts.table.of(self.id, "metric")}

    def artifacts(self) -> Mapping[str, Artifact]:
        """Its stored files by name; of several attempts' the last one's."""
        return self.run.artifacts(task=self.id)

    def logs(self) -> Iterator[LogLine]:
        """Its log lines and output, in the order they were made."""
        return self.run.logs(task=self.id)

    def __repr__(self) -> str:
        return f"<TaskRun {id_label(self.id, self.arguments)} {self.outcome.value}>"


class TaskRuns(Sequence[TaskRun]):
    """The tasks of a run, each read when it is asked for."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __len__(self) -> int:
        return len(self._run.facts.tasks)

    def __iter__(self) -> Iterator[TaskRun]:
        return (TaskRun(self._run, task) for task in self._run.facts.tasks)

    @overload
    def __getitem__(self, at: int) -> TaskRun: ...
    @overload
    def __getitem__(self, at: slice) -> list[TaskRun]: ...
    def __getitem__(self, at: int | slice) -> TaskRun | list[TaskRun]:
        if isinstance(at, slice):
            return [self[number] for number in range(len(self))[at]]
        return TaskRun(self._run, self._run.facts.tasks[at])

    def __repr__(self) -> str:
        shown = [repr(task) for task in islice(self, _SHOWN)]
        more = len(self) - len(shown)
        return f"[{', '.join([*shown, *([f'… {more} more'] if more > 0 else [])])}]"


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
        return self.facts.parameters

    @property
    def tags(self) -> Mapping[str, str]:
        """What it was called to find it by, in `--tag` or `tags=`; what tasks logged is in `facts.tags`."""
        return self.facts.run_tags

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
        return TaskRuns(self)

    def task(self, task_id: str) -> TaskRun:
        """Return one task by its id.

        Raises:
            KeyError: there is none; the message names those there are.
        """
        table = self.facts.table
        number = table.number_of(task_id)
        if number is not None:
            return TaskRun(self, table.task(number))
        ids = [task.id for task in islice(self.facts.tasks, _NAMED)]
        more = len(self.facts.tasks) - len(ids)
        raise KeyError(
            f"no task {task_id!r}; there are {', '.join(ids)}{f' and {more} more' if more > 0 else ''}"
        )

    @overload
    def metrics(self, name: str | None = None, *, best: None = None) -> Iterator[MetricPoint]: ...
    @overload
    def metrics(self, name: str | None = None, *, best: Literal["min", "max"]) -> list[MetricPoint]: ...
    def metrics(
        self, name: str | None = None, *, best: Literal["min", "max"] | None = None
    ) -> Iterator[MetricPoint] | list[MetricPoint]:
        """Yield every logged metric value, in the order they were made.

        Args:
            name: only of this metric.
            best: only the smallest or the largest value of each metric; these come as a list.

        Raises:
            UsageError: `best` is another word.
        """
        if best not in (None, "min", "max"):
            raise UsageError(f"best: {best!r}: use 'min' or 'max', or leave it out for every value")
        points = self._points(name)
        return points if best is None else best_of_each(points, best)

    def _points(self, name: str | None) -> Iterator[MetricPoint]:
        found = filter(None, map(metric_point, self.log_records()))
        for _, parts in in_order(
            (place, list(_POINT(point))) for place, point in found if name is None or point.name == name
        ):
            yield MetricPoint(*parts)

    def logs(self, *, task: str | None = None) -> Iterator[LogLine]:
        """Yield log lines and output in the order they were made; `task` names one task's.

        Raises:
            KeyError: the record is sealed and has no such task.
        """
        self._check_task(task)
        return self._lines(task)

    def _lines(self, task: str | None) -> Iterator[LogLine]:
        found = (
            (place, list(_LINE(line)))
            for record in self.log_records()
            for place, line in log_lines(record)
            if task is None or line.task == task
        )
        for _, parts in in_order(found):
            yield LogLine(*parts)

    def artifacts(self, *, task: str | None = None) -> Mapping[str, Artifact]:
        """Return stored files by name; of one task where `task` names it.

        Where several tasks stored a file of the same name, the name is ``"task-id/name"``.

        Raises:
            KeyError: the record is sealed and has no such task.
        """
        self._check_task(task)
        found: dict[str, Artifact] = {}
        entries = list(self.facts.artifacts if task is None else self.facts.table.of(task, "artifact"))
        owners: dict[str, set[str]] = {}
        for entry in entries:
            owners.setdefault(entry.name, set()).add(entry.task)
        for entry in entries:
            name = f"{entry.task}/{entry.name}" if len(owners[entry.name]) > 1 else entry.name
            found[name] = Artifact(
                entry.name, self.uri, entry.sha256, entry.size, entry.media_type, entry.kind
            )
        return found

    def _check_task(self, task: str | None) -> None:
        # One that lives may have more tasks by now than were seen as it was opened.
        # Empty is the body.
        if task and task != IDLE_WORKER and self.manifest is not None:
            self.task(task)

    def log_records(self) -> Iterator[Record]:
        """Yield the run's log records, each once, as they lie: not in the order they were made."""
        if self.manifest is not None:
            return sealed_records(
                open_store(self.uri), self.manifest, BY_KIND["L"].file, unreadable=self._problem
            )
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
