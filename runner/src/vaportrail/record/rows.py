"""The rows of a record: a JSON line for each task, attempt, logged value, artifact and file.

A line's first key, `line`, says what it is of; the second, whose. All lines of one task stand together,
its own first; those of the pipeline's body come before all tasks. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field
from pydantic_core import to_json

from vaportrail.contract.outcome import Failure
from vaportrail.record.known_outcomes import OutcomeText
from vaportrail.record.model import Number, RecordModel, Time
from vaportrail.telemetry.log_types import VALUE_TYPES, ValueKind

__all__ = [
    "OWNED", "ROWS", "ArtifactInfo", "AttemptInfo", "Edge", "FileInfo", "MetricInfo", "RowKind", "TaskInfo",
    "ValueInfo", "damaged_line", "file_line", "owner_of", "row_line", "rows_in_order", "section_line",
]  # fmt: skip

RowKind = Literal["task", "attempt"] | ValueKind | Literal["artifact"]


Size = Annotated[int, Field(ge=0, lt=2**63)]
"""Bytes of a file."""


class Edge(RecordModel):
    """One task's need of another."""

    task: str
    """Id of the upstream task."""
    kind: Literal["value", "order"]
    """`value`: its result is an argument. `order`: it only had to succeed first."""
    argument: str
    """The argument that carries the value."""


class TaskInfo(RecordModel):
    """One task: its call and its end."""

    id: str
    """Unique in the run, such as `train-2`."""
    name: str
    kind: Literal["python", "notebook"]
    outcome: OutcomeText
    arguments: dict[str, Any]
    options: dict[str, Any]
    upstream: list[Edge]
    attempts: int
    submitted: Time
    ended: Time
    cause: str
    """The upstream task that made it `SKIPPED`."""
    allow_failure: bool
    span_id: str


class AttemptInfo(RecordModel):
    """One attempt of a task."""

    task: str
    attempt: int
    """From 1."""
    outcome: OutcomeText
    started: Time
    """When it began to run; empty where it never said so."""
    ended: Time
    failure: Failure | None
    host: str
    pid: int
    node: str
    """Ray's id of the node."""
    writer: str
    """The process's name among the writers of the record."""
    span_id: str


class ValueInfo(RecordModel):
    """A logged parameter or tag."""

    task: str
    """Empty for what the pipeline's body logged."""
    name: str
    value: Any


class MetricInfo(RecordModel):
    """A logged metric, in short; every value is in the logs."""

    task: str
    name: str
    count: int
    last: Number
    last_step: int | None
    min: Number
    max: Number


class ArtifactInfo(RecordModel):
    """A stored file and who logged it."""

    task: str
    attempt: int
    name: str
    kind: str
    path: str
    """Its place within the record."""
    sha256: str
    size: Size
    media_type: str


class FileInfo(RecordModel):
    """A file of the record."""

    path: str
    size: Size
    sha256: str


ROWS: Final[Mapping[RowKind, type[RecordModel]]] = {
    "task": TaskInfo, "attempt": AttemptInfo,
    **{each.kind: MetricInfo if each.numbers else ValueInfo for each in VALUE_TYPES},
    "artifact": ArtifactInfo,
}  # fmt: skip
"""What a line of each kind holds, in the order that the lines of one task have."""
OWNED: Final[Mapping[RowKind, str]] = {
    "task": "tasks", "attempt": "attempts", **{each.kind: each.many for each in VALUE_TYPES},
    "artifact": "artifacts",
}  # fmt: skip
"""How many of them together are called."""


def row_line(kind: RowKind, row: BaseModel) -> bytes:
    """Return a row as a line, its end included."""
    return b'{"line":"%b",%b\n' % (kind.encode(), row.model_dump_json().encode()[1:])


def file_line(file: FileInfo) -> bytes:
    """Return the line of a file that the record holds."""
    return b'{"line":"file",%b\n' % file.model_dump_json().encode()[1:]


def damaged_line(path: str) -> bytes:
    """Return the line of an artifact that was gone, or not what its name says, at the seal."""
    return to_json({"line": "damaged", "path": path}) + b"\n"


def section_line(name: str, value: Any) -> bytes:
    """Return what the manifest had no room for: the whole of a section of it, or one entry of a list."""
    line = to_json({"line": "section", "name": name, "value": value}, inf_nan_mode="strings")
    return line + b"\n"


def owner_of(kind: RowKind, row: Any) -> str:
    """Return the id of the task that a row is of; empty for the pipeline's body."""
    return str(row.id if kind == "task" else row.task)


def rows_in_order(rows: Mapping[RowKind, Iterable[Any]]) -> Iterator[bytes]:
    """Yield rows as lines: the body's, those of no known task, each task's in the order of the calls.

    Args:
        rows: of each kind; tasks in the order of their calls.

    Raises:
        ValueError: two tasks have one id.
    """
    of_task: dict[str, list[tuple[RowKind, Any]]] = {"": []}
    tasks = list(rows.get("task", ()))
    known = {task.id for task in tasks}
    if len(known) < len(tasks):
        raise ValueError("two tasks have one id")
    kinds = [kind for kind in ROWS if kind != "task"]
    found = [(kind, row) for kind in kinds for row in rows.get(kind, ())]
    for _, row in sorted(
        (each for each in found if each[1].task not in known), key=lambda each: each[1].task
    ):
        of_task.setdefault(row.task, [])
    for task in tasks:
        of_task[task.id] = [("task", task)]
    for kind, row in found:
        of_task[row.task].append((kind, row))
    for mine in of_task.values():
        yield from (row_line(kind, row) for kind, row in mine)
