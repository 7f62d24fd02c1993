"""What the executor tells whoever is watching; the command line shows it."""

from __future__ import annotations

from typing import Protocol

from vaportrail.contract import Failure, Outcome

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Hears of a run's events as they happen. Called from one thread at a time."""

    def milestone(self, name: str) -> None:
        """A moment of the run itself, such as ``"ray started"``."""
        ...

    def task_submitted(self, task_id: str, label: str) -> None:
        """A task was called; `label` is its name with its plain arguments."""
        ...

    def attempt_started(self, task_id: str, attempt: int) -> None:
        """An attempt was handed to Ray."""
        ...

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        """An attempt failed; the next one, `attempt`, comes after `delay` seconds."""
        ...

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        """A task ended, `seconds` after its last attempt was handed to Ray; `cause` is what skipped it."""
        ...


class Silent:
    """Shows nothing."""

    def milestone(self, name: str) -> None: ...
    def task_submitted(self, task_id: str, label: str) -> None: ...
    def attempt_started(self, task_id: str, attempt: int) -> None: ...
    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None: ...
    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None: ...
