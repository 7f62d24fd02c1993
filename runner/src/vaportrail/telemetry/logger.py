"""`log`: what a task, a notebook or any library below them says to the record."""

from __future__ import annotations

import atexit
import csv
import io
import json as json_module
import operator
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from os import PathLike
from typing import Any, BinaryIO, overload

from vaportrail.errors import UsageError
from vaportrail.storage.artifacts import Artifact, store_artifact
from vaportrail.storage.layout import check_value_name
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.metric_names import named_metrics, number
from vaportrail.telemetry.recorder import Recorder, active

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
            value: anything JSON can hold; other types are described by their type.
        """
        self._event(c.EVENT_PARAM, name, describe(value))

    def params(self, values: Mapping[str, Any]) -> None:
        """Record many parameters; see `param`."""
        for name, value in values.items():
            self.param(name, value)

    def metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """Record a number that was measured. All of them are kept, with their times.

        Args:
            name: the metric's name, such as ``"loss"``.
            value: a number (Python, NumPy or a one-element tensor); NaN and infinities are kept.
            step: where in the training this is, or None.

        Raises:
            UsageError: `value` is not a number, or `step` not an integer.

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
        self._event(c.EVENT_METRIC, name, plain, {c.METRIC_STEP: step})

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
        self._event(c.EVENT_TAG, name, value)

    def text(self, name: str, text: str) -> Artifact | None:
        """Store text as a file (UTF-8)."""
        return self._store(name, text.encode("utf-8", "backslashreplace"), "text/plain", "text")

    def json(self, name: str, value: Any) -> Artifact | None:
        """Store a value as JSON; NumPy scalars and arrays become numbers and lists.

        Raises:
            UsageError: something in it has no JSON form.
        """
        try:
            text = json_module.dumps(value, indent=2, default=_json_default, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"json {name!r}: {error}; convert it to plain types first") from None
        return self._store(name, text.encode("utf-8", "backslashreplace"), "application/json", "json")

    def table(self, name: str, rows: Any) -> Artifact | None:
        """Store a table as CSV with a header.

        Args:
            name: the file's name.
            rows: a DataFrame, a mapping of column name to values, or an iterable of mappings.
        """
        return self._store(name, _csv(name, rows).encode("utf-8", "backslashreplace"), "text/csv", "table")

    def figure(self, name: str, figure: Any) -> Artifact | None:
        """Store a Matplotlib figure as PNG, or a Plotly figure as its JSON.

        Raises:
            UsageError: `figure` is neither.
        """
        if hasattr(figure, "savefig"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", facecolor="white", transparent=False)
            return self._store(name, buffer.getvalue(), "image/png", "figure")
        if hasattr(figure, "to_plotly_json"):
            raw = figure.to_json().encode()
            return self._store(name, raw, "application/vnd.plotly.v1+json", "figure")
        raise UsageError(
            f"figure {name!r}: {type(figure).__name__} is neither a Matplotlib nor a Plotly figure; "
            "use log.image or log.artifact"
        )

    def image(self, name: str, image: Any) -> Artifact | None:
        """Store an image: encoded bytes, a path, a Pillow image, or an array (H, W[, 3 or 4])."""
        if isinstance(image, bytes | str | PathLike):
            return self._store(name, image, None, "image")
        buffer = io.BytesIO()
        if hasattr(image, "save"):
            image.save(buffer, format="PNG")
        elif hasattr(image, "__array__"):
            try:
                from PIL import Image
            except ImportError:
                raise UsageError(f"image {name!r}: an array needs Pillow: pip install pillow") from None
            try:
                Image.fromarray(_pixels(image)).save(buffer, format="PNG")
            except (TypeError, ValueError) as error:
                shape = getattr(image, "shape", "?")
                raise UsageError(
                    f"image {name!r}: an array of shape {shape} is no image: {error}; "
                    "give (H, W), (H, W, 3) or (H, W, 4), as uint8 or as floats from 0 to 1"
                ) from None
        else:
            raise UsageError(
                f"image {name!r}: {type(image).__name__} is not bytes, a path, an image or an array"
            )
        return self._store(name, buffer.getvalue(), "image/png", "image")

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
            RecordError: the store refused it.
        """
        if not isinstance(source, str | PathLike | bytes | bytearray | memoryview) and not hasattr(
            source, "read"
        ):
            raise UsageError(
                f"artifact {name!r}: {type(source).__name__} is not a path, bytes or a binary stream; "
                "save it to a file first, or use log.json, log.table or log.image"
            )
        stored = self._store(name, source, media_type, "file")
        if stored is not None:
            return stored
        return _unstored(name, source, media_type)

    def _event(self, event: str, name: str, body: Any, values: Mapping[str, Any] | None = None) -> None:
        check_value_name(name)
        recorder = _recorder()
        if recorder is not None:
            recorder.log(body, event=event, values={c.VALUE_NAME: name, **(values or {})})

    def _store(self, name: str, source: Any, media_type: str | None, kind: str) -> Artifact | None:
        check_value_name(name)
        recorder = _recorder()
        return None if recorder is None else record_artifact(recorder, name, source, media_type, kind)

    def __reduce__(self) -> str:
        return "log"


def record_artifact(
    recorder: Recorder, name: str, source: Any, media_type: str | None, kind: str
) -> Artifact:
    """Store a file in the run's record and write the event that names it."""
    stored = store_artifact(recorder.settings.record_uri, name, source, media_type=media_type, kind=kind)
    values = {
        c.VALUE_NAME: name,
        c.ARTIFACT_KIND: kind,
        c.ARTIFACT_SHA256: stored.sha256,
        c.ARTIFACT_SIZE: stored.size,
        c.ARTIFACT_MEDIA_TYPE: stored.media_type,
    }
    recorder.log(event=c.EVENT_ARTIFACT, values=values)
    return stored


def _recorder() -> Recorder | None:
    recorder = active()
    if recorder is None:
        warnings.warn("vaportrail.log was called outside a run: nothing is recorded", stacklevel=4)
    return recorder


def _pixels(image: Any) -> Any:
    """Return an array as 8-bit pixels; floats go from 0 to 1, as images of models mostly do."""
    import numpy as np

    array = np.asarray(image)
    if array.dtype.kind == "f":
        return (np.nan_to_num(array).clip(0.0, 1.0) * 255).round().astype(np.uint8)
    return array


def _json_default(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _csv(name: str, rows: Any) -> str:
    if hasattr(rows, "to_csv"):
        return str(rows.to_csv(index=False))
    if isinstance(rows, Mapping):
        if not all(isinstance(column, Iterable) for column in rows.values()):
            raise UsageError(f"table {name!r}: every column is a list of values")
        columns = {str(key): list(column) for key, column in rows.items()}
        if len({len(column) for column in columns.values()}) > 1:
            raise UsageError(f"table {name!r}: its columns have different lengths")
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if not isinstance(rows, Iterable):
        raise UsageError(
            f"table {name!r}: {type(rows).__name__} is not a DataFrame, a mapping of columns or "
            "an iterable of mappings"
        )
    listed = list(rows)
    if not all(isinstance(row, Mapping) for row in listed):
        raise UsageError(f"table {name!r}: every row is a mapping of column name to value")
    header = list(dict.fromkeys(key for row in listed for key in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return buffer.getvalue()


def _unstored(name: str, source: Any, media_type: str | None) -> Artifact:
    """Store an artifact that is logged outside a run until the process ends, so that code goes on."""
    return store_artifact(_unrecorded_folder().name, name, source, media_type=media_type)


@lru_cache(maxsize=1)
def _unrecorded_folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="vaportrail-unrecorded-")
    atexit.register(folder.cleanup)
    return folder


log = Log()
"""The logger of whatever runs in this process; see `Log`."""
