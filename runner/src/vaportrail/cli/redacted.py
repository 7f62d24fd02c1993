"""What a run's own process says outside of its record, on a terminal, in a pod's log and in its answer:
without secrets, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.execution.observers import Progress
from vaportrail.telemetry.redact import redactor

__all__ = ["RedactedProgress", "Redaction"]


class Redaction:
    """Takes the secrets of an environment out of texts, as the record does.

    Those count that it holds at first and at the last `look`: user code may put some in, and take some
    out.

    Args:
        environ: the process's environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._first = self._last = redactor(environ)

    def look(self) -> None:
        """Look for secrets that have come into the environment."""
        self._last = redactor(self._environ)

    def __call__(self, text: str) -> str:
        for redact in (self._first, self._last):
            if redact is not None:
                text = redact(text)
        return text

    def tree(self, value: Any) -> Any:
        """Take them out of JSON, field by field."""
        for redact in (self._first, self._last):
            if redact is not None:
                value = redact.everywhere(value)
        return value


class RedactedProgress:
    """Tells another progress what it hears, without secrets, and before anything is cut.

    Args:
        progress: who shows it.
        redaction: looks again at each moment of the run, which are few.
    """

    def __init__(self, progress: Progress, redaction: Redaction) -> None:
        self._progress = progress
        self._redaction = redaction

    def stage(self, name: str) -> None:
        self._redaction.look()
        self._progress.stage(self._redaction(name))

    def task_submitted(self, task_id: str, label: str) -> None:
        self._progress.task_submitted(task_id, self._redaction(label))

    def attempt_started(self, task_id: str, attempt: int) -> None:
        self._progress.attempt_started(task_id, attempt)

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        self._progress.attempt_retried(task_id, attempt, delay, self._plain(failure))

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        self._progress.task_ended(task_id, outcome, seconds, self._plain(failure), cause)

    def _plain(self, failure: Failure | None) -> Failure | None:
        if failure is None:
            return None
        return replace(
            failure,
            type=self._redaction(failure.type),
            message=self._redaction(failure.message),
            traceback=self._redaction(failure.traceback),
        )
