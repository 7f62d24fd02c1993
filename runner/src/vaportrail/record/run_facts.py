"""All there is to know of a run but its output: the head of its record, and its tasks' rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from vaportrail.errors import RecordError
from vaportrail.record.manifest import Counts, Manifest, ReceiptEntry, RunInfo, TimelineEntry, VerdictInfo
from vaportrail.record.model import RecordModel
from vaportrail.record.row_table import RowTable
from vaportrail.record.rows import (
    OWNED,
    ArtifactInfo,
    AttemptInfo,
    MetricInfo,
    RowKind,
    TaskInfo,
    ValueInfo,
    rows_in_order,
)

__all__ = ["Facts"]

_Entry = TypeVar("_Entry", bound=RecordModel)


class Facts:
    """What a run's records amount to.

    Attributes:
        head: the manifest; of a run that is not sealed the one that it would have now, without files.

    The rows are read when they are first asked for; a record's can be too damaged to be read, which is
    a `RecordError` then.
    """

    def __init__(
        self, head: Manifest, lines: Callable[[], Iterable[bytes]], where: str = "the record"
    ) -> None:
        self.head = head
        self._lines = lines
        self._where = where

    @classmethod
    def of(cls, head: Manifest, rows: Mapping[RowKind, Sequence[Any]]) -> Facts:
        """Return the facts with these rows, tasks in the order of their calls."""
        return cls(head, lambda: rows_in_order(rows))

    def with_verdict(self, **changed: Any) -> Facts:
        """Return the same facts with another word of how the run ended."""
        verdict = self.head.verdict.model_copy(update=changed)
        return Facts(self.head.model_copy(update={"verdict": verdict}), self._lines, self._where)

    def lines(self) -> Iterable[bytes]:
        """Return the lines of the rows, one or more in a piece; also of what the head has no room for."""
        return self._lines()

    @cached_property
    def table(self) -> RowTable:
        """The rows, indexed by task."""
        return RowTable(self._lines(), self._where)

    @property
    def schema_version(self) -> str:
        return self.head.schema_version

    @property
    def run(self) -> RunInfo:
        return self.head.run

    @property
    def verdict(self) -> VerdictInfo:
        return self.head.verdict

    @property
    def counts(self) -> Counts:
        return self.head.counts

    @property
    def sealed(self) -> str:
        return self.head.sealed

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The run's parameters: all of them, also where the head has no room."""
        return self._whole("parameters", self.head.run.parameters)

    @property
    def run_tags(self) -> Mapping[str, str]:
        """The run's own tags, all of them."""
        return self._whole("tags", self.head.run.tags)

    @property
    def environment(self) -> Mapping[str, Any]:
        return self._whole("environment", self.head.environment)

    @property
    def timeline(self) -> Sequence[TimelineEntry]:
        if "timeline" not in self.head.left_out:
            return self.head.timeline
        return self._entries("timeline", TimelineEntry)

    @property
    def receipt(self) -> Sequence[ReceiptEntry]:
        if "receipt" not in self.head.left_out:
            return self.head.receipt
        return self._entries("receipt", ReceiptEntry)

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        return self.table.rows("task")

    @property
    def attempts(self) -> Sequence[AttemptInfo]:
        return self.table.rows("attempt")

    @property
    def params(self) -> Sequence[ValueInfo]:
        return self.table.rows("param")

    @property
    def tags(self) -> Sequence[ValueInfo]:
        return self.table.rows("tag")

    @property
    def metrics(self) -> Sequence[MetricInfo]:
        return self.table.rows("metric")

    @property
    def artifacts(self) -> Sequence[ArtifactInfo]:
        return self.table.rows("artifact")

    def _entries(self, name: str, model: type[_Entry]) -> Sequence[_Entry]:
        try:
            return [model.model_validate(entry) for entry in self.table.sections.get(name, [])]
        except ValidationError:
            raise RecordError(f"{self._where}: a line of its {name} is not valid") from None

    def _whole(self, name: str, cut: Mapping[str, Any]) -> Mapping[str, Any]:
        if name not in self.head.left_out:
            return cut
        found = self.table.sections.get(name, [cut])[0]
        return found if isinstance(found, dict) else cut

    def json_pieces(self, *, rows: Sequence[RowKind] = tuple(OWNED)) -> Iterator[str]:
        """Yield all of it as the text of one JSON object, in pieces: the manifest, and its rows in lists.

        Args:
            rows: of which kinds.
        """
        head = self.head.model_dump(mode="json", exclude=self.head.unfilled | {"metrics"})
        head["run"] |= {"parameters": self.parameters, "tags": self.run_tags}
        head["environment"] = self.environment
        for name, entries in (("timeline", self.timeline), ("receipt", self.receipt)):
            head[name] = [entry.model_dump(mode="json") for entry in entries]
        text = to_json(head, indent=2, inf_nan_mode="strings").decode()
        yield text.rstrip()[:-1].rstrip()
        for kind in rows:
            yield f',\n  "{OWNED[kind]}": ['
            begun = False
            for row in self.table.rows(kind):
                yield f"{',' if begun else ''}\n    {row.model_dump_json()}"
                begun = True
            yield "\n  ]" if begun else "]"
        yield "\n}"

    def to_json(self) -> str:
        """Return all of it as the text of one JSON object."""
        return "".join(self.json_pieces())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]
