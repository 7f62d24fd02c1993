"""`output(...)`: what a notebook gives to its caller, on its way out of the kernel."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vaportrail.errors import UsageError
from vaportrail.telemetry.private_files import append_private, read_private

__all__ = ["output", "read_outputs", "send_outputs_to", "take_outputs"]

_outputs: dict[str, Any] = {}
_file: Path | None = None


def output(**values: Any) -> None:
    """Give values to whoever called the notebook; in Jupyter it only keeps them.

    They are taken as they are at this moment. Call it as often as you like: later values replace
    earlier ones of the same name.

    Raises:
        UsageError: a value cannot leave the notebook; the message names it. None of them is given.

    Example:
        >>> from vaportrail import output
        >>> output(auc=0.99)
    """
    if _file is not None:
        append_private(_file, b"".join(_framed(name, value) for name, value in values.items()))
    _outputs.update(values)


def take_outputs() -> dict[str, Any]:
    """Return what was given to `output(...)` in this process so far."""
    return dict(_outputs)


def send_outputs_to(file: Path) -> None:
    """Write what is given to `output(...)` from now on into a file as well."""
    global _file
    _file = file


def read_outputs(file: Path) -> dict[str, bytes]:
    """Return the latest value of each name that was sent to a file, pickled."""
    try:
        return dict(_frames(read_private(file)))
    except FileNotFoundError:
        return {}


def _framed(name: str, value: Any) -> bytes:
    import cloudpickle

    try:
        raw = cloudpickle.dumps(value)
    except Exception as error:
        kind = type(value).__name__
        raise UsageError(
            f"output({name}=...): the {kind} cannot leave the notebook: {error}; give plain data"
        ) from error
    return pickle.dumps((name, raw))


def _frames(raw: bytes) -> Iterator[tuple[str, bytes]]:
    stream = io.BytesIO(raw)
    while stream.tell() < len(raw):
        yield pickle.load(stream)
