"""An attempt on its way to a worker, as one argument of bytes, and its report on the way back.

Ray's cost is by the argument. What is the same for all attempts of a task is packed once here, and unpacked
once in each worker. A report is bytes as well: Ray sends those as they are, and takes a fifth of a
millisecond to pickle anything else.
"""

from __future__ import annotations

import importlib
import pickle
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from vaportrail.execution.attempt import (
    SUCCEEDED,
    AttemptReport,
    AttemptSpec,
    attempt_that_cannot_begin,
    run_attempt,
)
from vaportrail.execution.pace import QUICK_SECONDS
from vaportrail.execution.plain_value import PlainValue, is_plain

__all__ = ["is_quick", "pack_attempt", "pack_kind", "pack_report", "read_report", "run_packed"]

_APART: Final = 1 << 16
"""Bytes of arguments from which on they travel by themselves: to pack them would copy them once more."""
_KEPT: Final = 1 << 16
"""Bytes of what attempts have in common up to which a worker keeps it for the next."""
_QUICK: Final = b""
"""It succeeded, quickly, and its value is a small and plain one."""
_SUCCEEDED: Final = b"."


def pack_kind(spec: AttemptSpec) -> bytes:
    """Return what an attempt has in common with all others of the same task, function and options."""
    # Ray's own: exceptions to be retried may be classes of `__main__`.
    cloudpickle = importlib.import_module("ray.cloudpickle")
    common = (spec.task_name, spec.function, spec.timeout, spec.env, spec.retry_on)
    return bytes(cloudpickle.dumps(common))


def pack_attempt(kind: bytes, spec: AttemptSpec, payload: bytes, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Return an attempt as the arguments of `run_packed`; plain inputs are packed with it, others follow."""
    plain = {place: value.raw for place, value in enumerate(inputs) if isinstance(value, PlainValue)}
    others = [value for value in inputs if not isinstance(value, PlainValue)] if plain else inputs
    apart = () if len(payload) < _APART else (payload,)
    packed = (kind, spec.task_id, spec.attempt, spec.span_id, None if apart else payload, plain)
    return pickle.dumps(packed), *apart, *others


def run_packed(settings_json: str, packed: bytes, *values: Any) -> tuple[bytes, Any]:
    """Run an attempt that `pack_attempt` packed; return its report, packed, and the task's value."""
    begin = time.monotonic()
    report, value = _run(settings_json, packed, *values)
    return pack_report(report, value, time.monotonic() - begin), value


def pack_report(report: AttemptReport, value: Any, seconds: float) -> bytes:
    """Return a report as bytes: what most of them say in none at all.

    Args:
        report: what the attempt says of itself.
        value: the task's.
        seconds: how long the attempt took.
    """
    if report is not SUCCEEDED:
        return pickle.dumps(report)
    return _QUICK if seconds < QUICK_SECONDS and is_plain(value) else _SUCCEEDED


def read_report(raw: bytes) -> AttemptReport:
    """Return the report that `pack_report` packed."""
    found = pickle.loads(raw) if raw not in (_QUICK, _SUCCEEDED) else SUCCEEDED
    if not isinstance(found, AttemptReport):
        raise TypeError(f"what an attempt said of itself is a {type(found).__name__}")
    return found


def is_quick(raw: bytes) -> bool | None:
    """Return whether a report's attempt was quick with a plain value; None where it did not succeed."""
    return None if raw not in (_QUICK, _SUCCEEDED) else raw == _QUICK


def _run(settings_json: str, packed: bytes, *values: Any) -> tuple[AttemptReport, Any]:
    kind, task_id, attempt, span_id, payload, plain = pickle.loads(packed)
    if payload is None:
        payload, *values = values  # type: ignore[assignment]
    if plain:
        others = iter(values)
        values = tuple(
            pickle.loads(plain[place]) if place in plain else next(others)
            for place in range(len(plain) + len(values))
        )
    try:
        name, *more = _kind(kind) if len(kind) <= _KEPT else pickle.loads(kind)
    except Exception as error:  # a class that only the runner can import
        return attempt_that_cannot_begin(error), None
    return run_attempt(settings_json, AttemptSpec(task_id, name, attempt, span_id, *more), payload, *values)


@lru_cache(maxsize=64)
def _kind(raw: bytes) -> Any:
    return pickle.loads(raw)
