"""A run's rows, indexed by task once: kept as the lines they are, read when somebody asks for one.

100,000 tasks are some 100 MB of lines; as objects they would be a GB.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, overload

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from vaportrail.errors import RecordError
from vaportrail.record.kept_blocks import KeptBlocks
from vaportrail.record.model import RecordModel
from vaportrail.record.rows import OWNED, ROWS, RowKind, owner_of
from vaportrail.record.sound import Unsound, parse

__all__ = ["RowTable", "Rows"]

_LINE: Final = re.compile(
    rb'(?:\{"line":"(%b)","(?:id|task)":"([^"\\\n]*)",)?[^\n]*\n' % "|".join(ROWS).encode()
)
"""A line; its kind and owner where it begins as our own sealer begins it. Another may write it otherwise."""
_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]*")
"""A text that JSON has within quotes as it is."""
_TASK: Final = b"task"
_Place = tuple[int, bytes, bytes]
"""Where a row begins, its kind, and its owner as JSON has it within quotes."""
_BEGINS: Final[Mapping[RowKind, bytes]] = {kind: b'\n{"line":"%b",' % kind.encode() for kind in ROWS}
"""How a line of our own form begins, with the end of the one before: within a line there is no such end."""
_BLOCK_BYTES: Final = 2**20
PLAIN_BYTES: Final = 256 * 2**20
"""Bytes of rows that are kept as they are, those of some 250,000 tasks; what is beyond is packed."""
OWNERS: Final = 5_000_000
"""Tasks whose rows are read: each takes some memory, however small its rows are."""
OWNER_BYTES: Final = 512 * 2**20
"""Bytes of one task's rows, which are in one block."""
SECTION_BYTES: Final = 64 * 2**20
"""Bytes of the lines of what the manifest had no room for."""
_REASON: Final = 300
_Row = TypeVar("_Row", bound=RecordModel)


class RowTable:
    """The rows of a run.

    Args:
        pieces: all of their lines, one or more in a piece, those of one task together.
        where: how to call them in messages.

    Raises:
        RecordError: a line is none, or stands apart from the others of its task.
    """

    def __init__(self, pieces: Iterable[bytes], where: str = "the record") -> None:
        self._where = where
        self.totals: Counter[str] = Counter()
        self.sections: dict[str, list[Any]] = {}
        """What the manifest had no room for, by its name."""
        self._section_bytes = 0
        self._groups: dict[str, int] = {}
        self._owners: list[str] = []
        self._blocks = KeptBlocks(PLAIN_BYTES)
        self._block, self._start, self._end = array("Q"), array("Q"), array("Q")
        self._tasks = array("Q")
        """Groups that begin with a task, in the order of the calls."""
        self._index(pieces)

    def _index(self, pieces: Iterable[bytes]) -> None:
        open_block, group = bytearray(b"\n"), -1
        owner: bytes | None = None
        counts: Counter[bytes] = Counter()
        for raw in pieces:
            piece, found = self._rows_of(raw if raw.endswith(b"\n") else raw + b"\n")
            kept = 0  # bytes of the piece that a block has already
            for start, kind, whose in found:
                if whose != owner:
                    owner, mine = whose, self._id(whose)
                    here = len(open_block) + start - kept
                    if group >= 0:
                        self._end.append(here)
                    if here >= _BLOCK_BYTES:
                        self._blocks.append(bytes(open_block + piece[kept:start]))
                        open_block, kept, here = bytearray(b"\n"), start, 1
                    group += 1
                    if group == OWNERS:
                        raise RecordError(f"{self._where}: its lines are of more than {OWNERS} tasks")
                    if self._groups.setdefault(mine, group) != group:
                        raise RecordError(f"{self._where}: the lines of {mine[:80]!r} do not stand together")
                    self._owners.append(mine)
                    self._block.append(len(self._blocks))
                    self._start.append(here)
                if kind == _TASK:
                    if self._tasks and self._tasks[-1] == group:
                        raise RecordError(f"{self._where}: there are two tasks {self._id(whose)[:80]!r}")
                    self._tasks.append(group)
            counts.update(kind for _, kind, _ in found)
            open_block += piece[kept:]
            if group >= 0 and len(open_block) - self._start[group] > OWNER_BYTES:
                raise RecordError(
                    f"{self._where}: the lines of {self._id(owner or b'')[:80]!r} are more than "
                    f"{OWNER_BYTES >> 20} MiB"
                )
        self.totals.update({kind.decode(): count for kind, count in counts.items()})
        if group >= 0:
            self._end.append(len(open_block))
            self._blocks.append(bytes(open_block))

    def _rows_of(self, piece: bytes) -> tuple[bytes, list[_Place]]:
        """Return the rows among some lines in our own form, and where each begins there."""
        found = [(line.start(), line[1], line[2]) for line in _LINE.finditer(piece)]
        if all(kind for _, kind, _ in found):
            return piece, found
        ours, found, end = [], [], 0
        for line in _LINE.finditer(piece):
            kind, whose, text = (line[1], line[2], line[0]) if line[1] else self._rewritten(line[0])
            if text:
                found.append((end, kind, whose))
                ours.append(text)
                end += len(text)
        return b"".join(ours), found

    def _id(self, quoted: bytes) -> str:
        if _PLAIN.fullmatch(quoted):
            return quoted.decode()
        try:
            return str(from_json(b'"%b"' % quoted))
        except ValueError as error:
            raise RecordError(f"{self._where}: a line cannot be read: {error}") from None

    def _rewritten(self, line: bytes) -> tuple[bytes, bytes, bytes]:
        """Return a row's kind, its owner as JSON has it within quotes, and the line in our own form.

        All are empty for a line that is no row.
        """
        try:
            found = parse(line)
        except Unsound as error:
            raise RecordError(f"{self._where}: a line cannot be read: {error}") from None
        if type(found) is not dict or type(found.get("line")) is not str:
            raise RecordError(f"{self._where}: a line does not say what it is of")
        kind = found.pop("line")
        if kind == "section":
            self._section_bytes += len(line)
            if self._section_bytes > SECTION_BYTES:
                raise RecordError(f"{self._where}: its sections are more than {SECTION_BYTES >> 20} MiB")
            self.sections.setdefault(str(found.get("name")), []).append(found.get("value"))
        if kind not in ROWS:  # of a later version
            return b"", b"", b""
        key = "id" if kind == "task" else "task"
        owner = found.pop(key, None)
        if type(owner) is not str:
            raise RecordError(f"{self._where}: a line does not say whose it is")
        text = to_json({"line": kind, key: owner, **found}, inf_nan_mode="strings")
        return kind.encode(), to_json(owner)[1:-1], text + b"\n"

    def rows(self, kind: RowKind) -> Rows[Any]:
        """Return all rows of a kind, in the order of their tasks."""
        return Rows(self, kind, ROWS[kind])

    def of(self, owner: str, kind: RowKind) -> list[Any]:
        """Return the rows of one task of a kind; the body's where `owner` is empty."""
        group = self._groups.get(owner)
        return [] if group is None else self._decoded(group, kind, ROWS[kind])

    def owners(self) -> Iterator[str]:
        """Yield the id of every task, and of the body what stands for it, an empty one."""
        return iter(self._groups)

    def task(self, number: int) -> Any:
        """Return the task that was called `number`th, from 0."""
        return self._decoded(self._tasks[number], "task", ROWS["task"])[0]

    def number_of(self, owner: str) -> int | None:
        """Return where in the order of the calls a task stands; None where there is none of that id."""
        group = self._groups.get(owner)
        if group is None:
            return None
        at = bisect_left(self._tasks, group)
        return at if at < len(self._tasks) and self._tasks[at] == group else None

    def each(self, kind: RowKind, model: type[_Row]) -> Iterator[_Row]:
        """Yield all rows of a kind."""
        for group in self._tasks if kind == "task" else range(len(self._start)):
            yield from self._decoded(group, kind, model)

    def lines(self) -> Iterator[bytes]:
        """Yield every row's line."""
        for number in range(len(self._blocks)):
            block = self._blocks[number]
            yield from (line + b"\n" for line in block.split(b"\n") if line)

    def _decoded(self, group: int, kind: RowKind, model: type[_Row]) -> list[_Row]:
        block, end, begins = self._blocks[self._block[group]], self._end[group], _BEGINS[kind]
        rows, owner = [], self._owners[group]
        at = block.find(begins, self._start[group] - 1, end)
        while at >= 0:
            after = block.index(b"\n", at + 1)
            try:
                rows.append(model.model_validate_json(block[at + 1 : after]))
            except ValidationError as error:
                reason = " ".join(str(error).split())[:_REASON]
                raise RecordError(f"{self._where}: a line is not valid: {reason}") from None
            if owner_of(kind, rows[-1]) != owner:
                raise RecordError(f"{self._where}: a line says twice whose it is: {owner[:80]!r} and another")
            at = block.find(begins, after, end) if after + 1 < end else -1
        return rows


class Rows(Sequence[_Row], Generic[_Row]):
    """All rows of one kind; each is read when it is asked for."""

    def __init__(self, table: RowTable, kind: RowKind, model: type[_Row]) -> None:
        self._table, self._kind, self._model = table, kind, model

    def __len__(self) -> int:
        return self._table.totals[self._kind]

    def __iter__(self) -> Iterator[_Row]:
        return self._table.each(self._kind, self._model)

    @overload
    def __getitem__(self, at: int) -> _Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[_Row]: ...
    def __getitem__(self, at: int | slice) -> _Row | list[_Row]:
        if isinstance(at, int) and self._kind == "task":
            number = range(len(self))[at]
            found: _Row = self._table.task(number)
            return found
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} {OWNED[self._kind]}>"


def _same(one: object, other: object) -> bool:
    return one == other
