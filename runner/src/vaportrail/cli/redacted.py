"""A runner's words outside of its record, the pod's log and its answer: without secrets, as there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TextIO

from vaportrail.cli.progress import PlainProgress
from vaportrail.contract import Failure, Outcome
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


class RedactedProgress(PlainProgress):
    """Plain progress without secrets.

    Args:
        out: where the lines go.
        redaction: looks again at each moment of the run, which are few.
    """

    def __init__(self, out: TextIO, redaction: Redaction) -> None:
        super().__init__(out)
        self._redaction = redaction

    def milestone(self, name: str) -> None:
        self._redaction.look()
        super().milestone(name)

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        super().attempt_retried(task_id, attempt, delay, self._plain(failure))

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        super().task_ended(task_id, outcome, seconds, self._plain(failure), cause)

    def _plain(self, failure: Failure | None) -> Failure | None:
        # Before it is cut: half a secret would not be known as one.
        return replace(failure, message=self._redaction(failure.message)) if failure is not None else None

    def _say(self, text: str) -> None:
        super()._say(self._redaction(text))
