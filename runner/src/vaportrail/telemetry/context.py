"""Which run, task and attempt this process is working for.

Ray runs one attempt at a time in a worker, so the attempt is the process's, not a thread's: threads
that user code starts log into the attempt without any set-up. Those that outlive it stay its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from opentelemetry import context as otel_context

from vaportrail.contract import RunSettings
from vaportrail.storage.private import private_folder
from vaportrail.telemetry.left_threads import left_by

__all__ = ["AttemptScope", "Context", "attempt_scope", "context", "set_attempt_scope"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class AttemptScope:
    """The attempt, or the notebook cell within it, that what is logged now belongs to."""

    task_id: str
    task_name: str
    attempt: int
    span_id: str
    deadline_unix_nano: int | None = None
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a task may ask about itself; get it with `context()`.

    Attributes:
        run_id: the run's UUID.
        pipeline: the pipeline's name.
        task: this task's id in the run, such as ``"train-2"``.
        attempt: which attempt this is, from 1.
        deadline: when this attempt times out, or None.
        parameters: the pipeline's parameters as recorded (hidden ones read ``"<hidden>"``).
    """

    run_id: str
    pipeline: str
    task: str
    attempt: int
    deadline: datetime | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _scratch: str = ""

    @property
    def scratch(self) -> Path:
        """A folder of this attempt's own, removed when it ends."""
        return private_folder(Path(self._scratch))

    def bind(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Return `fn` carrying the current span into another thread.

        Without it a span opened in a pool's thread is a child of the attempt, not of the span that
        was open where the work was handed over. What it logs is this attempt's, also in a thread
        that an earlier attempt left.

        Example:
            >>> pool.submit(context().bind(score), batch)  # doctest: +SKIP
        """
        captured, scope = otel_context.get_current(), attempt_scope()

        @wraps(fn)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            token, acting = otel_context.attach(captured), _acting_for.set(scope)
            try:
                return fn(*args, **kwargs)
            finally:
                _acting_for.reset(acting)
                otel_context.detach(token)

        return bound


_acting_for: ContextVar[AttemptScope | None] = ContextVar("vaportrail_acting_for", default=None)
_scope: AttemptScope | None = None
_settings: RunSettings | None = None


def attempt_scope() -> AttemptScope | None:
    """Return the attempt that the calling thread works for, or None outside one."""
    return _acting_for.get() or left_by() or _scope


def set_attempt_scope(scope: AttemptScope | None, settings: RunSettings | None = None) -> None:
    """Say which attempt this process works for from now on."""
    global _scope, _settings
    _scope = scope
    if settings is not None:
        _settings = settings


def context() -> Context:
    """Return the running task's own context.

    Raises:
        LookupError: outside a task's attempt.

    Example:
        >>> from vaportrail import context, task
        >>> @task
        ... def train() -> None:
        ...     print(context().task, context().attempt)
    """
    if attempt_scope() is None:
        from vaportrail.telemetry.children import adopt

        adopt()
    scope = attempt_scope()
    if scope is None or _settings is None:
        raise LookupError(
            "context() is for code that runs inside a task of a run; outside one there is no task to describe"
        )
    nanos = scope.deadline_unix_nano
    return Context(
        run_id=_settings.identity.uid,
        pipeline=_settings.identity.pipeline,
        task=scope.task_id,
        attempt=scope.attempt,
        deadline=None if nanos is None else datetime.fromtimestamp(nanos / 1e9, UTC),
        parameters=_settings.identity.parameters,
        _scratch=scope.scratch,
    )
