"""What the executor needs of the thing that runs attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.described_failure import describe_failure

__all__ = ["AttemptEnd", "Backend", "Running"]


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, as the runner sees it.

    Attributes:
        outcome: the typed end.
        failure: the exception, or the evidence there is.
        error: the exception itself where it could travel, pickled where another process raised it.
        self_reported: whether the attempt itself said so; otherwise the runner has to write it down.
        retryable: whether another attempt may be worth it.
    """

    outcome: Outcome
    failure: Failure | None = None
    error: BaseException | bytes | None = None
    self_reported: bool = True
    retryable: bool = True

    @classmethod
    def refused(cls, error: BaseException) -> AttemptEnd:
        """Return the end of an attempt that could not begin, or of which nobody can tell how it ended."""
        return cls(Outcome.FAILED, describe_failure(error), error, self_reported=False, retryable=False)


@dataclass(slots=True)
class Running:
    """An attempt that was handed over: two references, to its report and to its value.

    The second is there at the latest when the attempt is told to have succeeded.
    """

    spec: AttemptSpec
    report: Any
    value: Any

    def value_alone(self) -> Running:
        """Return what is left of it once it has ended: the backend may forget the rest."""
        return self if self.report is None else replace(self, report=None)


class Backend(Protocol):
    """Runs attempts somewhere.

    What one of its methods raises is the end of the task that it was called for, and of nothing else.
    """

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        """Take an attempt whose turn has come; `on_end` is called once, from any thread, as it has ended."""
        ...

    def hand_over(self) -> None:
        """Let those run that were taken: no more come now."""
        ...

    def cpus(self) -> float:
        """Return how many CPUs there are now to run attempts on; it is asked often."""
        ...

    def hindrance(self, options: TaskOptions) -> str:
        """Return why a task with these options has to wait for more than its turn, empty where it has not."""
        ...

    def stop(self, running: Running, *, force: bool) -> None:
        """Interrupt an attempt, or end its process."""
        ...

    def fetch(self, running: Running) -> Any:
        """Return the value of an attempt that succeeded.

        Raises:
            TaskFailed: the value is lost.
            Exception: it cannot be loaded here; the message says why.
        """
        ...

    def close(self) -> None:
        """Tell of no more ends: what runs attempts is about to go."""
        ...
