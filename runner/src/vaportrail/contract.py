"""What every part agrees on: how things end, and who a run is.

This module imports nothing but the standard library: every worker and every notebook's kernel
starts with it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

__all__ = ["FORMAT_VERSION", "Failure", "Outcome", "RunIdentity", "RunSettings", "exception_type"]


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
    def cicd_result(self) -> str:
        """The value of OpenTelemetry's `cicd.pipeline.result` that says the same."""
        return _CICD_RESULT.get(self, "error")


_CICD_RESULT = {
    Outcome.SUCCEEDED: "success",
    Outcome.FAILED: "failure",
    Outcome.TIMED_OUT: "timeout",
    Outcome.CANCELLED: "cancellation",
    Outcome.SKIPPED: "skip",
}


def exception_type(error: BaseException) -> str:
    """Return an exception's name as OpenTelemetry's `exception.type` has it, builtins without module.

    >>> exception_type(ValueError())
    'ValueError'
    """
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


FORMAT_VERSION: Final = "1.0"
"""Version of the record's format, `MAJOR.MINOR`."""


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


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who a run is; fixed before anything starts.

    Attributes:
        uid: the run's UUID.
        pipeline: the pipeline's name, a segment of the record's path.
        name: what the user calls this run; the record's directory name unless given.
        created_unix_nano: when the run was asked for, nanoseconds since the epoch.
        parameters: the validated parameters in JSON form; hidden ones read ``"<hidden>"``.
        tags: free text by name.
        entrypoint: what was run, such as ``"mnist.pipeline:mnist"``.
    """

    uid: str
    pipeline: str
    name: str
    created_unix_nano: int
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    entrypoint: str = ""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What every process of a run needs to know; travels with each attempt.

    Attributes:
        identity: who the run is.
        spool: the spool folder on this host.
        root: the record root, a folder or an object store's URI.
        path: the record's place below the root.
        driver: the driver's incarnation, from 1.
    """

    identity: RunIdentity
    spool: str
    root: str
    path: str
    driver: int = 1

    @property
    def record_uri(self) -> str:
        """The record's own URI (or folder)."""
        return f"{self.root.rstrip('/')}/{self.path}"

    def to_json(self) -> str:
        """Return the settings as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunSettings:
        """Return the settings in `text`.

        Raises:
            ValueError: the text is not settings.
        """
        try:
            raw = json.loads(text)
            return cls(**{**raw, "identity": RunIdentity(**raw["identity"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"these are not a run's settings: {error}") from error
