"""What a task may ask about itself: `context()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from opentelemetry import context as otel_context

from vaportrail.storage.private import private_folder
from vaportrail.telemetry.attempt_scope import acting_for, attempt_scope, run_settings
from vaportrail.telemetry.children import adopt

__all__ = ["Context", "context"]

P = ParamSpec("P")
R = TypeVar("R")


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
        scheduled_time: when the run was due by its schedule, however late it began; None without one.
        previous_scheduled_time: when the schedule's last run that succeeded before it was due, or None:
            from there to `scheduled_time` is what no run has seen to yet.
    """

    run_id: str
    pipeline: str
    task: str
    attempt: int
    deadline: datetime | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scheduled_time: datetime | None = None
    previous_scheduled_time: datetime | None = None
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
            token = otel_context.attach(captured)
            try:
                with acting_for(scope):
                    return fn(*args, **kwargs)
            finally:
                otel_context.detach(token)

        return bound


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
        adopt()
    scope, settings = attempt_scope(), run_settings()
    if scope is None or settings is None:
        raise LookupError(
            "context() is for code that runs inside a task of a run; outside one there is no task to describe"
        )
    nanos = scope.deadline_unix_nano
    return Context(
        run_id=settings.identity.uid,
        pipeline=settings.identity.pipeline,
        task=scope.task_id,
        attempt=scope.attempt,
        deadline=None if nanos is None else datetime.fromtimestamp(nanos / 1e9, UTC),
        parameters=settings.identity.parameters,
        scheduled_time=_time(settings.identity.scheduled_time),
        previous_scheduled_time=_time(settings.identity.previous_scheduled_time),
        _scratch=scope.scratch,
    )


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
