"""What the runner writes into the record of its tasks: called, resolved for the dead, ended."""

from __future__ import annotations

from typing import Any

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Outcome
from vaportrail.execution.backend import AttemptEnd
from vaportrail.execution.call import TaskCall
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.batch import Batch
from vaportrail.telemetry.exceptions import exception_values
from vaportrail.telemetry.identity import attempt_span_id, task_span_id
from vaportrail.telemetry.json_attributes import encode_attribute
from vaportrail.telemetry.recorder import Recorder

__all__ = ["TaskRecorder"]


class TaskRecorder:
    """Makes the records of the runner's side of a run's tasks.

    Args:
        recorder: the runner's hand on the record.
        batch: writes them.
    """

    def __init__(self, recorder: Recorder, batch: Batch) -> None:
        self._recorder, self._batch = recorder, batch
        self._last: tuple[TaskOptions, str] | None = None

    def submitted(self, call: TaskCall, arguments: dict[str, Any], edges: list[dict[str, str]]) -> None:
        """Write that a task was called, with what and after which."""
        options = call.options
        self._recorder.span_started(
            call.name,
            call.span_id,
            self._recorder.run_span_id,
            event=c.EVENT_TASK_SUBMITTED,
            unix_nano=call.submitted_unix_nano,
            values={
                c.TASK_RUN_ID: call.task_id,
                c.TASK_NAME: call.name,
                c.TASK_KIND: call.kind,
                c.TASK_UPSTREAM: call.upstream,
                c.TASK_EDGES: encode_attribute(edges) if edges else "[]",
                c.TASK_ARGUMENTS: encode_attribute(arguments),
                c.TASK_OPTIONS: self._described(options),
                c.TASK_ALLOW_FAILURE: options.allow_failure,
            },
            batch=self._batch,
        )

    def _described(self, options: TaskOptions) -> str:
        """Return options as the record has them; those of one task are the same for many calls."""
        if self._last is None or self._last[0] is not options:
            self._last = (options, encode_attribute(options.describe()))
        return self._last[1]

    def resolved(self, call: TaskCall, attempt: int, end: AttemptEnd) -> None:
        """Write how an attempt ended that could not say so itself."""
        settings = self._recorder.settings
        span = attempt_span_id(settings.identity.uid, call.task_id, attempt, settings.incarnation)
        failure = exception_values(end.failure) if end.failure is not None else {}
        self._recorder.log(
            event=c.EVENT_ATTEMPT_RESOLVED,
            span_id=span,
            attempt=AttemptScope(call.task_id, call.name, attempt, span),
            severity=(17, "ERROR"),
            values={c.OUTCOME: end.outcome.value, **failure},
            batch=self._batch,
        )

    def waits(self, call: TaskCall, why: str) -> None:
        """Write that a task waits for what nobody may ever offer."""
        self._recorder.log(why, severity=(13, "WARN"), span_id=call.span_id, batch=self._batch)

    def ended(self, call: TaskCall, end: int, cause: str) -> None:
        """Write a task's span; `cause` is the upstream task that skipped it."""
        settings = self._recorder.settings
        uid = settings.identity.uid
        failure = None if call.outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED) else call.failure
        values: dict[str, Any] = {
            c.TASK_NAME: call.name,
            c.TASK_RUN_ID: call.task_id,
            c.TASK_RUN_RESULT: call.outcome.cicd_result,
            c.TASK_RUN_URL: f"{settings.record_uri}#{call.task_id}",
            c.OUTCOME: call.outcome.value,
            c.TASK_ATTEMPTS: call.attempts,
            c.TASK_CAUSE: cause or None,
        }
        if not call.outcome.ok:
            values[c.ERROR_TYPE] = failure.type if failure is not None else call.outcome.value
        self._recorder.span(
            call.name,
            call.span_id,
            self._recorder.run_span_id,
            call.submitted_unix_nano,
            end,
            ok=call.outcome.ok,
            message=failure.message if failure is not None else cause,
            values=values,
            failure=failure,
            links=[task_span_id(uid, task_id, settings.incarnation) for task_id in call.upstream],
            batch=self._batch,
        )
