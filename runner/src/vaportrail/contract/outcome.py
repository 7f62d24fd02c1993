"""How a run, a task or one of its attempts ended.

This module imports nothing but the standard library: every worker and every notebook's kernel
starts with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

__all__ = ["TRAITS", "Failure", "Outcome", "Traits", "exception_type"]


class Outcome(StrEnum):
    """How a run, a task or one of its attempts ended.

    The names are closed: a reader may rely on them. `UNFINISHED` is never the end of a sealed
    record's parts; it is what a live run's tasks show until they end.
    """

    SUCCEEDED = "SUCCEEDED"
    """The code returned."""
    FAILED = "FAILED"
    """The code raised; `Failure` holds the exception and its traceback."""
    TIMED_OUT = "TIMED_OUT"
    """An attempt ran longer than its `timeout`."""
    OOM_KILLED = "OOM_KILLED"
    """Ray's memory monitor or the kernel's cgroup ended the process for its memory."""
    WORKER_LOST = "WORKER_LOST"
    """The attempt's process ended without a word (a signal, `os._exit`, a crash)."""
    NODE_LOST = "NODE_LOST"
    """The node of the attempt went away."""
    VALUE_LOST = "VALUE_LOST"
    """The task had succeeded, but its value is gone from the cluster."""
    CANCELLED = "CANCELLED"
    """The run was cancelled before the code ended."""
    SKIPPED = "SKIPPED"
    """The task never ran, because something it needs did not succeed."""
    RUNNER_LOST = "RUNNER_LOST"
    """The runner itself died before it could say how this ended."""
    UNFINISHED = "UNFINISHED"
    """Not ended yet (only while a run is live)."""

    @property
    def ok(self) -> bool:
        """True only for `SUCCEEDED`."""
        return self is Outcome.SUCCEEDED

    @property
    def ended(self) -> bool:
        """True for every outcome but `UNFINISHED`."""
        return self is not Outcome.UNFINISHED

    @property
    def traits(self) -> Traits:
        """What follows from it for whoever shows or counts it."""
        return TRAITS.get(self, _OF_UNKNOWN)

    @property
    def cicd_result(self) -> str:
        """The value of OpenTelemetry's `cicd.pipeline.result` that says the same."""
        return self.traits.cicd_result


@dataclass(frozen=True, slots=True)
class Traits:
    """What follows from an outcome: each place that shows or counts outcomes asks here.

    Attributes:
        meaning: what it says, as the reference has it.
        cicd_result: a value of OpenTelemetry's `cicd.pipeline.result`.
        shown_as: which of four looks it has on a terminal and in a diagram.
        retried: when a further attempt may follow, as the reference has it.
        exit_code: of a command whose run ended so.
        has_run: whether an attempt that ended so must have had a process, and so a writer of its own, though
            the runner and not that process says so.
    """

    meaning: str
    cicd_result: str = "error"
    shown_as: Literal["succeeded", "failed", "skipped", "running"] = "failed"
    retried: str = "–"
    exit_code: int = 1
    has_run: bool = False


TRAITS: Final[Mapping[Outcome, Traits]] = {
    Outcome.SUCCEEDED: Traits("the code returned", "success", "succeeded", exit_code=0),
    Outcome.FAILED: Traits(
        "the code raised, or its result could not be pickled", "failure", retried="if `retry_on` allows"
    ),
    Outcome.TIMED_OUT: Traits(
        "an attempt ran longer than its `timeout`", "timeout", retried="yes", has_run=True
    ),
    Outcome.OOM_KILLED: Traits("Ray's memory monitor ended the process", retried="yes", has_run=True),
    Outcome.WORKER_LOST: Traits(
        "the process ended without a word: a signal, `os._exit()`, a crash", retried="yes", has_run=True
    ),
    Outcome.NODE_LOST: Traits("the node of the attempt went away", retried="yes", has_run=True),
    Outcome.VALUE_LOST: Traits(
        "the value of an upstream task, or the one that `result` asks for, is gone from the cluster",
        retried="yes",
    ),
    Outcome.CANCELLED: Traits(
        "the task or the run was cancelled", "cancellation", "skipped", retried="no", exit_code=130
    ),
    Outcome.SKIPPED: Traits("never ran, because something it needs did not succeed", "skip", "skipped"),
    Outcome.RUNNER_LOST: Traits("the runner died before it could say how this ended"),
    Outcome.UNFINISHED: Traits("not ended yet; only while a run is not sealed", shown_as="running"),
}
"""Of every outcome; `make generate` writes the reference's table from it."""
_OF_UNKNOWN: Final = Traits("not known to this version")
"""Of a later version's outcome, which a record may hold."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something ended badly: an exception, or the evidence there is of a process's end.

    Attributes:
        type: the exception's full name, such as ``"ValueError"`` or ``"mine.Odd"``.
        message: the exception's own words.
        traceback: the whole traceback as Python prints it, from the user's first frame on.
    """

    type: str
    message: str
    traceback: str = ""


def exception_type(error: BaseException) -> str:
    """Return an exception's name as OpenTelemetry's `exception.type` has it, builtins without module.

    >>> exception_type(ValueError())
    'ValueError'
    """
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
