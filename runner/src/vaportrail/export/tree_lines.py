"""The log and the curves of each task, written in one pass over the record: a file is open at a time."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from vaportrail.export.plain_text import plain, text_lines
from vaportrail.record.otlp_lines import Record
from vaportrail.record.reading.in_order import Entry, in_order
from vaportrail.record.reading.log_lines import log_lines
from vaportrail.record.reading.metric_points import logged_number
from vaportrail.telemetry.log_types import VALUE_TYPES

__all__ = ["LINE_FILES", "write_lines"]

_LOG: Final = "log.txt"
LINE_FILES: Final = frozenset({_LOG, *(f"{each.many}.csv" for each in VALUE_TYPES if each.numbers)})
"""What the files are called."""
_COLUMNS: Final = ("name", "step", "time", "value")


def write_lines(records: Iterable[Record], folders: Mapping[str, Path], made: Container[str]) -> int:
    """Write what each task said and logged into its folder; return how many files that made.

    Args:
        records: a run's log records.
        folders: each task's, by its id; lines of others are passed over.
        made: whose folders are there already.
    """
    count = 0
    found = (entry for record in records for entry in _entries(record) if entry[0][0] in folders)
    for (task, file), entries in groupby(in_order(found), key=lambda entry: entry[0][:2]):
        folder = folders[task]
        if task not in made:
            folder.mkdir(parents=True, exist_ok=True)
        write = _write_log if file == _LOG else _write_numbers
        write(folder / file, (parts for _, parts in entries))
        count += 1
    return count


def _entries(record: Record) -> Iterator[Entry]:
    for place, line in log_lines(record):
        yield (line.task, _LOG, *place), [line.time, line.source, line.text]
    found = logged_number(record)
    if found is not None:
        logged, place, point = found
        yield (point.task, f"{logged.many}.csv", *place), [point.name, point.step, point.time, point.value]


def _write_log(path: Path, lines: Iterable[list[Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for time, source, text in lines:
            file.writelines(f"{plain(line)}\n" for line in text_lines(f"{time} {source} {text}"))


def _write_numbers(path: Path, points: Iterable[list[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for name, step, time, value in points:
            # A program that opens such tables would carry out what begins so.
            called = f"'{name}" if name[:1] in "=+-@" else name
            table.writerow([plain(called), "" if step is None else step, time, repr(value)])
