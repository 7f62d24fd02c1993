"""`log`: what a task, a notebook or any library below them says to the record."""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Mapping
from os import PathLike
from typing import Any, BinaryIO, Final, overload

from vaportrail.errors import UsageError
from vaportrail.storage.artifacts import Artifact
from vaportrail.storage.layout import check_value_name
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.attempt_scope import attempt_scope
from vaportrail.telemetry.children import is_child
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.json_files import json_text
from vaportrail.telemetry.log_files import record_artifact, refuse_folder, unrecorded_artifact
from vaportrail.telemetry.log_types import FILES, VALUES, FileKind, ValueKind
from vaportrail.telemetry.metric_names import named_metrics, number
from vaportrail.telemetry.object_fields import fields_of
from vaportrail.telemetry.pictures import figure_file, image_png
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.tables import csv_text

__all__ = ["Log", "log"]


class Log:
    """Logs named values and files to the running task (or, in the pipeline's body, to the run).

    Outside a run every method checks its arguments, warns once and does nothing, so that the same
    code runs in a unit test or a plain script. All methods are safe from any thread.
    """

    def param(self, name: str, value: Any) -> None:
        """Record a value that was chosen: a hyperparameter, a count, a path.

        Args:
            name: unique among the task's parameters; a later value replaces an earlier one.
            value: plain values, dates, paths, sets and objects of fields are kept; arrays and other
                types are described, as arguments are.
        """
        check_value_name(name)
        recorder = _recorder()
        plain = _unchanged if recorder is None else recorder.plain
        self._value("param", name, describe(value, plain=plain))

    def params(self, values: object) -> None:
        """Record many parameters; see `param`.

        Args:
            values: a mapping, or an object of fields: a dataclass, a model, an `argparse.Namespace`.

        Raises:
            UsageError: it is neither.
        """
        named = values if isinstance(values, Mapping) else fields_of(values)
        if named is None:
            raise UsageError(
                f"params: {type(values).__name__} is not a mapping, a dataclass, a model or a namespace; "
                "give a dict of names to values"
            )
        for name, value in named.items():
            self.param(name, value)

    def metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """Record a number that was measured. All of them are kept, with their times.

        Args:
            name: the metric's name, such as ``"loss"``.
            value: a number (Python, NumPy or a one-element tensor); NaN and infinities are kept.
            step: where in the training this is, or None.

        Raises:
            UsageError: `value` is not a number, or `step` not an integer of 64 bits.

        Example:
            >>> for step, loss in enumerate(losses):            # doctest: +SKIP
            ...     log.metric("loss", loss, step=step)
        """
        plain = number(name, value)
        if step is not None:
            try:
                step = operator.index(step)
            except TypeError:
                raise UsageError(
                    f"metric {name!r}: step={step!r} is not an integer; give a whole number or None"
                ) from None
            if not -(2**63) <= step < 2**63:
                raise UsageError(
                    f"metric {name!r}: its step has no room in 64 bits; give a smaller one or None"
                )
        self._value("metric", name, plain, {c.METRIC_STEP: step})

    @overload
    def metrics(self, values: Mapping[str, Any], /, *, step: int | None = None) -> None: ...
    @overload
    def metrics(self, name: str, values: Any, *, step: int | None = None) -> None: ...
    def metrics(self, name: Any = "", values: Any = None, *, step: int | None = None) -> None:
        """Record many metrics of one step; see `metric`.

        Args:
            name: put before each key, with a ``/`` between: ``roc_auc/3``. Left out where the keys
                are the names.
            values: numbers in a mapping, a list, an array or a Series, which may lie in one another.
            step: where in the training this is, or None.

        Raises:
            UsageError: something in it is not a number; then none of them is recorded.

        Example:
            >>> log.metrics({"loss": 0.5, "accuracy": 0.9}, step=3)      # doctest: +SKIP
            >>> log.metrics("roc_auc", {digit: auc for digit, auc in enumerate(aucs)})  # doctest: +SKIP
        """
        if not isinstance(name, str):
            name, values = "", name
        checked = {check_value_name(key): value for key, value in named_metrics(name, values).items()}
        for key, value in checked.items():
            self.metric(key, value, step=step)

    def tag(self, name: str, value: str) -> None:
        """Record a word to find this by: a dataset's version, a team, a verdict."""
        if not isinstance(value, str):
            raise UsageError(f"tag {name!r}: {value!r} is not a str; give str(value)")
        self._value("tag", name, value)

    def text(self, name: str, text: str) -> Artifact | None:
        """Store text as a file (UTF-8)."""
        return self._text("text", name, text)

    def json(self, name: str, value: Any) -> Artifact | None:
        """Store a value as JSON.

        NumPy scalars and arrays become numbers and lists, sets sorted lists, dates, paths, enums,
        `Decimal` and `UUID` their text or value, dataclasses and models mappings of their fields.

        Raises:
            UsageError: something in it has no JSON form.
        """
        try:
            text = json_text(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"json {name!r}: {error}; convert it to plain types first") from None
        return self._text("json", name, text)

    def table(self, name: str, rows: Any) -> Artifact | None:
        """Store a table as CSV with a header.

        Args:
            name: the file's name.
            rows: a DataFrame or Series of pandas, whose index is kept unless it only counts the rows,
                one of Polars, an Arrow table, a mapping of column name to values, an array of two
                dimensions, or rows: mappings, lists, dataclasses, models.

        Raises:
            UsageError: `rows` is none of these.
        """
        try:
            text = csv_text(rows)
        except (TypeError, ValueError) as error:
            raise UsageError(f"table {name!r}: {error}") from None
        return self._text("table", name, text)

    def figure(self, name: str, figure: Any) -> Artifact | None:
        """Store a Matplotlib figure, or axes of one, as PNG, or a Plotly figure as its JSON.

        Raises:
            UsageError: `figure` is none of these.
        """
        try:
            raw, media_type = figure_file(figure)
        except TypeError as error:
            raise UsageError(f"figure {name!r}: {error}; use log.image or log.artifact") from None
        return self._file("figure", name, raw, media_type)

    def image(self, name: str, image: Any) -> Artifact | None:
        """Store an image: encoded bytes, a path, a Pillow image, or an array (H, W[, 1, 3 or 4]).

        A Pillow image that PNG cannot hold, such as a CMYK one, is converted.

        Raises:
            UsageError: it is none of these, or cannot be converted.
        """
        if isinstance(image, bytes | str | PathLike):
            return self._file("image", name, image)
        try:
            raw = image_png(image)
        except (TypeError, ValueError, OSError) as error:
            raise UsageError(f"image {name!r}: {error}") from None
        return self._file("image", name, raw, FILES["image"].media_type)

    def artifact(
        self,
        name: str,
        source: str | PathLike[str] | bytes | BinaryIO,
        *,
        media_type: str | None = None,
    ) -> Artifact:
        """Store a file of any size; it is in the record's store when this returns.

        Args:
            name: what to call it; it may have folders.
            source: a path, bytes, or a binary stream.
            media_type: an IANA media type; by the name's ending where not given.

        Returns:
            The stored artifact, which can be returned to other tasks and read there.

        Raises:
            UsageError: `source` is a folder, or nothing that can be read.
            RecordError: the store refused it.
        """
        if not isinstance(source, str | PathLike | bytes | bytearray | memoryview) and not hasattr(
            source, "read"
        ):
            raise UsageError(
                f"artifact {name!r}: {type(source).__name__} is not a path, bytes or a binary stream; "
                "save it to a file first, or use log.json, log.table or log.image"
            )
        stored = self._file("file", name, source, media_type)
        if stored is not None:
            return stored
        return unrecorded_artifact(name, source, media_type)

    def _value(self, kind: ValueKind, name: str, body: Any, values: Mapping[str, Any] | None = None) -> None:
        check_value_name(name)
        recorder = _recorder()
        if recorder is not None:
            recorder.log(body, event=VALUES[kind].event, values={c.VALUE_NAME: name, **(values or {})})

    def _text(self, kind: FileKind, name: str, text: str) -> Artifact | None:
        return self._file(kind, name, text.encode("utf-8", "backslashreplace"), FILES[kind].media_type)

    def _file(self, kind: FileKind, name: str, source: Any, media_type: str | None = None) -> Artifact | None:
        check_value_name(name)
        refuse_folder(name, source, kind)
        recorder = _recorder()
        return None if recorder is None else record_artifact(recorder, name, source, media_type, kind)

    def __reduce__(self) -> str:
        return "log"


def _unchanged(text: str) -> str:
    return text


def _recorder() -> Recorder | None:
    recorder = active()
    if recorder is None:
        warnings.warn(f"vaportrail.log was called {_where()}: nothing is recorded", stacklevel=4)
    elif recorder.writer.header.role == "worker" and attempt_scope() is None:
        recorder.not_captured(_BETWEEN_TASKS)
        warnings.warn(f"vaportrail.log was called {_BESIDE_THE_TASKS}: nothing is recorded", stacklevel=4)
        return None
    return recorder


_BESIDE_THE_TASKS: Final = "in work of Ray's that is not one of the run's tasks"
_BETWEEN_TASKS: Final = "values that were logged in a worker while none of the run's tasks ran in it"


def _where() -> str:
    """Return what this process is, that it cannot record."""
    if is_child():
        return "in a child process of a run whose spool cannot be reached from here"
    worker = sys.modules.get("ray._private.worker")
    if worker is not None and worker.global_worker.mode == worker.WORKER_MODE:
        return _BESIDE_THE_TASKS
    return "outside a run"


log = Log()
"""The logger of whatever runs in this process; see `Log`."""
