"""Trace and span ids that follow from who a thing is.

A restarted driver, a retried write and the sealer all compute the same id for the same thing, and
no two things share one: the ids are the first bytes of a SHA-256 over the thing's whole path.
"""

from __future__ import annotations

import hashlib

__all__ = [
    "attempt_span_id",
    "cell_span_id",
    "run_span_id",
    "task_span_id",
    "timeline_span_id",
    "trace_id",
]


def _digest(length: int, *path: str | int) -> str:
    joined = "\x1f".join(map(str, path))
    raw = hashlib.sha256(joined.encode()).digest()[:length]
    # All zeros means "no id" in W3C Trace Context.
    return raw.hex() if raw.strip(b"\0") else "0" * (2 * length - 1) + "1"


def trace_id(run_uid: str) -> str:
    """Return the run's trace id, 32 hex digits."""
    return _digest(16, "trace", run_uid)


def run_span_id(run_uid: str) -> str:
    """Return the id of the run's root span, 16 hex digits."""
    return _digest(8, "run", run_uid)


def task_span_id(run_uid: str, task_id: str, incarnation: int = 1) -> str:
    """Return the id of a task's span; `incarnation` is the runner's incarnation, from 1."""
    return _digest(8, "task", run_uid, incarnation, task_id)


def attempt_span_id(run_uid: str, task_id: str, attempt: int, incarnation: int = 1) -> str:
    """Return the id of the span of a task's attempt, counted from 1."""
    return _digest(8, "attempt", run_uid, incarnation, task_id, attempt)


def cell_span_id(attempt_span: str, number: int) -> str:
    """Return the id of the span of a notebook's cell."""
    return _digest(8, "cell", attempt_span, number)


def timeline_span_id(run_uid: str, index: int, name: str) -> str:
    """Return the id of the span of a stretch of the run's infrastructure, `index` in its timeline."""
    return _digest(8, "timeline", run_uid, index, name)
