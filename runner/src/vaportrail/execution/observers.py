"""What the executor tells whoever is watching; the command line shows it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final, Protocol

from vaportrail.contract.outcome import Failure, Outcome

__all__ = ["Aside", "NoProgress", "Progress", "Unfailing"]

QUEUED: Final = 10_000
"""How much is kept for a progress that is slower than the run."""
CLOSE_SECONDS: Final = 2.0
"""How long a progress may take for what is left when the run is over."""


class Progress(Protocol):
    """Hears of a run's events as they happen. Called from one thread at a time."""

    def stage(self, name: str) -> None:
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


class NoProgress:
    """Shows nothing."""

    def stage(self, name: str) -> None: ...
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

    def stage(self, name: str) -> None:
        self._tell(lambda: self._progress.stage(name))

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
            self._progress = NoProgress()
            self._lost(f"progress is not shown any more: {type(error).__name__}: {error}")


class Aside(Unfailing):
    """Tells a progress from a thread of its own: one that blocks holds up nothing.

    A terminal that is stopped (Ctrl-S) and a pipe that nobody reads block whoever writes to them.

    Args:
        progress: who hears of it.
        lost: is told why, once, when it is dropped, and what it did not hear.
    """

    def __init__(self, progress: Progress, lost: Callable[[str], None] = lambda why: None) -> None:
        super().__init__(progress, lost)
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._left_out = 0
        self._thread = threading.Thread(target=self._loop, name="vaportrail-progress", daemon=True)
        self._thread.start()

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for what is left, but not for ever."""
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)
        lost, self._lost = self._lost, lambda why: None  # who hears of it may be gone from now on
        waiting = self._queue.qsize() - 1 if self._thread.is_alive() else 0
        if self._thread.is_alive() or self._left_out:
            lost(
                f"progress is not shown whole: {max(waiting, 0) + self._left_out} events were left out, "
                "for whoever shows it was slower than the run, or stopped"
            )

    def _tell(self, say: Callable[[], None]) -> None:
        if self._queue.qsize() < QUEUED:
            self._queue.put(say)
        else:
            self._left_out += 1

    def _loop(self) -> None:
        while (say := self._queue.get()) is not None:
            super()._tell(say)
