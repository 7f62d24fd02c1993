"""Tables of every common kind as CSV text with a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

from vaportrail.telemetry.object_fields import fields_of

__all__ = ["csv_text"]


def csv_text(table: Any) -> str:
    """Return a table as CSV.

    Args:
        table: a DataFrame or Series of pandas or Polars, an Arrow table, a mapping of column name to
            values, an array of two dimensions, or an iterable of rows: mappings, lists, tuples,
            dataclasses, models.

    Raises:
        TypeError: it is none of these.
        ValueError: its columns do not fit together.

    >>> csv_text([{"n": 1}, {"n": 2, "word": "b"}])
    'n,word\\n1,\\n2,b\\n'
    """
    if hasattr(table, "to_csv"):  # pandas, and what is made like it
        return str(table.to_csv(index=_tells(getattr(table, "index", None))))
    if hasattr(table, "write_csv"):
        return str(table.write_csv())
    if hasattr(table, "to_frame") and hasattr(table, "to_list"):  # a Series of Polars
        return csv_text(table.to_frame())
    if hasattr(table, "to_pylist") and hasattr(table, "column_names"):  # Arrow
        return _written(list(table.column_names), table.to_pylist())
    if isinstance(table, Mapping):
        return _columns(table)
    if isinstance(table, str | bytes) or not isinstance(table, Iterable):
        raise TypeError(
            f"{type(table).__name__} is not a DataFrame, a mapping of columns or an iterable of rows"
        )
    if type(table).__name__.endswith("GroupBy"):
        raise TypeError(
            f"a {type(table).__name__} is several tables; make one of them, such as by .mean() or .size()"
        )
    if isinstance(table, Set):
        raise TypeError("a set has no order; give sorted(...) rows")
    return _rows(_listed(table))


def _listed(table: Any) -> list[Any]:
    """Return the rows of an array or of whatever else can be gone through."""
    shape = getattr(table, "shape", None)
    if shape is None or not hasattr(table, "tolist"):
        return list(table)
    names = table.dtype.names if hasattr(table, "dtype") and hasattr(table.dtype, "names") else None
    if names:  # a structured array
        return [dict(zip(names, row, strict=True)) for row in table.tolist()]
    if len(shape) != 2:
        raise TypeError(f"an array of shape {tuple(shape)} is no table; give two dimensions")
    return list(table.tolist())


def _tells(index: Any) -> bool:
    """Return whether a table's index says more than the number of a row."""
    return type(index).__name__ != "RangeIndex" or index.name is not None


def _columns(table: Mapping[Any, Any]) -> str:
    for name, column in table.items():
        if isinstance(column, str | bytes | Mapping | Set) or not isinstance(column, Iterable):
            raise TypeError(
                f"every column is a list of values, and {name!r} is {type(column).__name__}; "
                "a single row is [{...}], rows by name are [{'name': name, **row}, ...]"
            )
    columns = {str(name): list(column) for name, column in table.items()}
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name!r} {len(column)}" for name, column in columns.items())
        raise ValueError(f"its columns have different lengths: {lengths}")
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return _written(list(columns), rows)


def _rows(rows: list[Any]) -> str:
    named = [_named(row) for row in rows]
    header = list(dict.fromkeys(key for row in named for key in row))
    if all(isinstance(key, int) for key in header):
        header.sort()
    return _written(header, named)


def _named(row: Any) -> dict[Any, Any]:
    """Return a row as a mapping of column names; a list's are its places."""
    if isinstance(row, Mapping):
        return dict(row)
    fields = fields_of(row)
    if fields is not None:
        return fields
    if hasattr(row, "_asdict"):  # a named tuple
        return dict(row._asdict())
    if hasattr(row, "keys"):  # of sqlite3 and other databases
        return {key: row[key] for key in row.keys()}  # noqa: SIM118
    if isinstance(row, list | tuple):
        return dict(enumerate(row))
    raise TypeError(
        f"every row is a mapping, a list, a dataclass or a model, not {type(row).__name__}; "
        "a single column is {'name': values}"
    )


_OF_TABLES: Final = ("to_csv", "write_csv", "to_frame", "column_names")
"""What tables and Series have, and no value of a cell."""


def _written(header: list[Any], rows: list[dict[Any, Any]]) -> str:
    for row in rows:
        for name, cell in row.items():
            _refuse_table(name, cell)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _refuse_table(name: Any, cell: Any) -> None:
    """Refuse a cell of which CSV would hold the beginning, as it is printed."""
    if isinstance(cell, str | int | float | None):
        return
    kind = type(cell)
    shape = getattr(cell, "shape", ())
    if any(hasattr(kind, each) for each in _OF_TABLES) or (isinstance(shape, tuple) and len(shape) > 1):
        raise TypeError(
            f"column {name!r} holds a {kind.__name__}, for which a cell has no room; give that to log.table "
            "by a name of its own"
        )
