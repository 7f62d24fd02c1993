"""The two lines that an attempt writes of itself: that it has begun, and its span."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.json_template import Holes, JsonTemplate
from vaportrail.telemetry.otlp_json import log_json, quoted, span_json
from vaportrail.telemetry.output import Stream
from vaportrail.telemetry.recorder import INTERNAL, Recorder

__all__ = ["AttemptLines", "attempt_lines"]


class AttemptLines:
    """Writes these lines for all attempts of a task in this process: most of what they say is the same.

    Args:
        recorder: the process's.
        task: the task's name.
        node: Ray's id of this node.
    """

    def __init__(self, recorder: Recorder, task: str, node: str) -> None:
        self._recorder = recorder
        self._task = task
        self._node = node
        self._begun = JsonTemplate(self._begun_json, quoted)
        self._succeeded = JsonTemplate(self._succeeded_json, quoted)

    def begun(self, scope: AttemptScope, parent: str, start: int, offsets: Mapping[Stream, int]) -> None:
        """Write that an attempt has begun, so that the sealer can close its span if this process dies.

        Args:
            scope: the attempt.
            parent: the id of its task's span.
            start: when it began, in nanoseconds since the epoch.
            offsets: where in each stream what it prints begins.
        """
        self._recorder.writer.append(
            "L",
            c.SCOPE,
            lambda seq: self._begun.fill(
                seq=seq,
                task_id=scope.task_id,
                attempt=scope.attempt,
                span=scope.span_id,
                parent=parent,
                start=start,
                stdout=offsets["stdout"],
                stderr=offsets["stderr"],
            ),
        )

    def ended(
        self,
        scope: AttemptScope,
        parent: str,
        start: int,
        outcome: Outcome,
        failure: Failure | None,
        ends: Mapping[str, int],
    ) -> None:
        """Write an attempt's span; `ends` are the attributes that say where its output does."""
        end = self._recorder.clock()
        if outcome is Outcome.SUCCEEDED and not ends:
            self._recorder.writer.append(
                "T",
                c.SCOPE,
                lambda seq: self._succeeded.fill(
                    seq=seq,
                    task_id=scope.task_id,
                    attempt=scope.attempt,
                    span=scope.span_id,
                    parent=parent,
                    start=start,
                    end=end,
                ),
            )
            return
        values = {**self._values(scope.task_id, scope.attempt, outcome), **ends}
        if failure is not None:
            values[c.ERROR_TYPE] = failure.type
        self._recorder.span(
            self._task,
            scope.span_id,
            parent,
            start,
            end,
            ok=outcome.ok,
            message=failure.message if failure else "",
            values=values,
            failure=failure,
        )

    def _values(self, task_id: str, attempt: int, outcome: Outcome) -> dict[str, Any]:
        return {
            c.TASK_NAME: self._task,
            c.TASK_RUN_ID: task_id,
            c.ATTEMPT: attempt,
            c.TASK_RUN_RESULT: outcome.cicd_result,
            c.OUTCOME: outcome.value,
        }

    def _begun_json(self, holes: Holes) -> str:
        start = holes.number("start")
        values = {
            c.SPAN_NAME: self._task,
            c.SPAN_PARENT: holes.text("parent"),
            c.SPAN_KIND: INTERNAL,
            c.PROCESS_PID: os.getpid(),
            c.NODE_ID: self._node,
            c.STDOUT_OFFSET: holes.number("stdout"),
            c.STDERR_OFFSET: holes.number("stderr"),
            c.TASK_RUN_ID: holes.text("task_id"),
            c.ATTEMPT: holes.number("attempt"),
            c.SEQ: holes.number("seq"),
        }
        return log_json(
            None,
            values,
            unix_nano=start,
            observed_unix_nano=start,
            trace_id=self._recorder.trace_id,
            span_id=holes.text("span"),
            event=c.EVENT_ATTEMPT_STARTED,
        )

    def _succeeded_json(self, holes: Holes) -> str:
        values = self._values(holes.text("task_id"), holes.number("attempt"), Outcome.SUCCEEDED)
        return span_json(
            self._task,
            {**values, c.SEQ: holes.number("seq")},
            trace_id=self._recorder.trace_id,
            span_id=holes.text("span"),
            parent=holes.text("parent"),
            kind=INTERNAL,
            start=holes.number("start"),
            end=holes.number("end"),
        )


@lru_cache(maxsize=64)
def attempt_lines(recorder: Recorder, task: str, node: str) -> AttemptLines:
    """Return what writes the lines of a task's attempts in this process, made once."""
    return AttemptLines(recorder, task, node)
