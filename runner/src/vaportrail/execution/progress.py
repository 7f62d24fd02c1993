"""What the executor tells whoever is watching; the command line shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vaportrail.contract import Failure, Outcome

__all__ = ["Progress", "Silent", "Unfailing"]


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


class Unfailing:
    """Tells a progress what happens; one that raises hears no more, and the run goes on.

    A terminal that went away, a closed pipe or a full disk for the log is no reason to end a run.

    Args:
        progress: who hears of it.
        lost: is told why, once, when it is dropped.
    """

    def __init__(self, progress: Progress, lost: Callable[[str], None] = lambda why: None) -> None:
        self._progress = progress
        self._lost = lost

    def milestone(self, name: str) -> None:
        self._tell(lambda: self._progress.milestone(name))

    def task_submitted(self, task_id: str, label: str) -> None:
        self._tell(lambda: self._progress.task_submitted(task_id, label))

    def attempt_started(self, task_id: str, attempt: int) -> None:
        self._tell(lambda: self._progress.attempt_started(task_id, attempt))

    def attempt_retried(self, task_id: str, attempt: int, delay: float, failure: Failure | None) -> None:
        self._tell(lambda: self._progress.attempt_retried(task_id, attempt, delay, failure))

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        self._tell(lambda: self._progress.task_ended(task_id, outcome, seconds, failure, cause))

    def _tell(self, say: Callable[[], None]) -> None:
        # What a signal's handler raises in the main thread is none of these: it is to come through.
        try:
            say()
        except (Exception, SystemExit) as error:
            self._progress = Silent()
            self._lost(f"progress is not shown any more: {type(error).__name__}: {error}")
