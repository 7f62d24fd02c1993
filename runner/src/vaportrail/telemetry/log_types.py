"""What `log` records, type by type: the one table that its methods, facts, readers and exports go by.

Like the table of attributes it imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "BY_EVENT",
    "ENDINGS",
    "FILES",
    "FILE_TYPES",
    "VALUES",
    "VALUE_TYPES",
    "FileKind",
    "FileType",
    "ValueKind",
    "ValueType",
]

ValueKind = Literal["param", "tag", "metric"]
FileKind = Literal["text", "json", "table", "figure", "image", "file", "notebook"]


@dataclass(frozen=True, slots=True)
class ValueType:
    """A named value: an event of its own, whose body is the value.

    Attributes:
        kind: the method of `log`, and what a line of the record says that it is of.
        many: what several are called: a list of facts, a key of `task.json`.
        meaning: what the event says.
        numbers: whether each is a number and all are kept, as a curve, instead of the last of a name.
    """

    kind: ValueKind
    many: str
    meaning: str
    numbers: bool = False

    @property
    def method(self) -> str:
        """The method of `log` that records it."""
        return self.kind

    @property
    def event(self) -> str:
        """The `eventName` of the log record that is made of it."""
        return f"vaportrail.{self.kind}"


@dataclass(frozen=True, slots=True)
class FileType:
    """A file in the record's store.

    Attributes:
        kind: what it is to a reader.
        method: the method of `log` that stores it; empty where another does.
        endings: what a name without an ending gets where the record is unpacked, by media type.
    """

    kind: FileKind
    method: str
    endings: Mapping[str, str] = field(default_factory=dict)

    @property
    def media_type(self) -> str:
        """What it is where nothing else says so."""
        return next(iter(self.endings), "application/octet-stream")


VALUE_TYPES: Final[tuple[ValueType, ...]] = (
    ValueType("param", "params", "a named value that was set; the body is the value"),
    ValueType("tag", "tags", "a named word; the body is the word"),
    ValueType("metric", "metrics", "a named number that was measured; the body is the number", numbers=True),
)
"""In the order that their lines have in a record."""
FILE_TYPES: Final[tuple[FileType, ...]] = (
    FileType("text", "text", {"text/plain": ".txt"}),
    FileType("json", "json", {"application/json": ".json"}),
    FileType("table", "table", {"text/csv": ".csv"}),
    FileType("figure", "figure", {"image/png": ".png", "application/vnd.plotly.v1+json": ".json"}),
    FileType("image", "image", {"image/png": ".png"}),
    FileType("file", "artifact"),
    FileType("notebook", ""),
)
VALUES: Final[dict[ValueKind, ValueType]] = {each.kind: each for each in VALUE_TYPES}
FILES: Final[dict[FileKind, FileType]] = {each.kind: each for each in FILE_TYPES}
BY_EVENT: Final[dict[str, ValueType]] = {each.event: each for each in VALUE_TYPES}
ENDINGS: Final[dict[str, str]] = {
    media_type: ending for each in FILE_TYPES for media_type, ending in each.endings.items()
}
"""Of all of them: by these a file of a later version's type has an ending, too."""
