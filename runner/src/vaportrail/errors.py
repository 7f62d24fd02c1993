"""Every error that Vaportrail raises on purpose.

```
VaportrailError
├── UsageError             the caller's input: names the field, the value and the fix
│   ├── ParameterError     a pipeline parameter is unknown, missing or ill-typed
│   ├── OptionError        a task option is unknown or ill-formed
│   ├── EntrypointError    MODULE:PIPELINE does not lead to a pipeline
│   ├── HandleError        a handle was used as if it were its value
│   └── ScheduleError      a schedule's expression or time zone is not right
├── TaskFailed             `result(x)` of a task that did not succeed
├── RecordError            a record cannot be found, read, written or trusted
│   ├── RecordNotFound
│   ├── UnsupportedVersion the record was written by a newer major version
│   ├── StoreUnsafe        the object store ignores conditional creates
│   ├── RootUnwritable     nothing can be written to the record root
│   ├── SealConflict       something different already stands under a sealed name
│   └── SpoolError         the spool of a run that goes on cannot be written
├── RunActive              the run is still alive, so it cannot be sealed from outside
├── RayLost                a process that Ray cannot go on without ended: the run ends with it
└── InternalError          a fault of Vaportrail itself: the run ends with it
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaportrail.contract.outcome import Failure, Outcome

__all__ = [
    "EntrypointError",
    "HandleError",
    "InternalError",
    "OptionError",
    "ParameterError",
    "RayLost",
    "RecordError",
    "RecordNotFound",
    "RootUnwritable",
    "RunActive",
    "ScheduleError",
    "SealConflict",
    "SpoolError",
    "StoreUnsafe",
    "TaskFailed",
    "UnsupportedVersion",
    "UsageError",
    "VaportrailError",
]


class VaportrailError(Exception):
    """Base of every error that Vaportrail raises on purpose."""


class UsageError(VaportrailError):
    """The caller's input is wrong; the message names the field, the value and the fix."""


class ParameterError(UsageError):
    """A pipeline parameter is unknown, missing or does not fit its annotation."""


class OptionError(UsageError):
    """A task option is unknown or ill-formed."""


class EntrypointError(UsageError):
    """`MODULE:PIPELINE` does not lead to a pipeline."""


class HandleError(UsageError, TypeError):
    """A handle was used where its value is needed; `result(handle)` gives the value."""


class ScheduleError(UsageError):
    """A schedule's expression or time zone is not right; the message does not name the field of the file."""


class TaskFailed(VaportrailError):
    """A task whose value was asked for did not succeed.

    Attributes:
        task: the task's id, such as ``"train-2"``.
        outcome: how the task ended.
        failure: the exception's type, message and traceback, where there was one.
    """

    def __init__(self, task: str, outcome: Outcome, failure: Failure | None = None) -> None:
        self.task = task
        self.outcome = outcome
        self.failure = failure
        detail = "" if failure is None else f": {failure.type}: {failure.message}"
        super().__init__(f"task {task!r} ended {outcome.value}{detail}")

    def __reduce__(self) -> tuple[type[TaskFailed], tuple[str, Outcome, Failure | None]]:
        return (type(self), (self.task, self.outcome, self.failure))


class RecordError(VaportrailError):
    """A record cannot be found, read, written or trusted."""


class RecordNotFound(RecordError):
    """No record (sealed or live) stands at the given place."""


class UnsupportedVersion(RecordError):
    """The record was written by a newer major version of its format."""


class StoreUnsafe(RecordError):
    """The object store ignores conditional creates, so it could overwrite a sealed record."""


class RootUnwritable(RecordError):
    """Nothing can be written to the record root: neither can a record be."""


class SealConflict(RecordError):
    """Something different already stands under a name that the seal must create."""

    @classmethod
    def at(cls, path: str, why: object, cure: str = "nothing was overwritten") -> SealConflict:
        """Return the refusal to seal beside what stands at a path.

        Args:
            path: below the record, or below the record root.
            why: what is wrong with it.
            cure: what to do.
        """
        return cls(f"something else stands at {path}: {why}; {cure}")


class SpoolError(RecordError):
    """The spool of a run cannot be written: the disk is full or gone. The run ends with it.

    Attributes:
        spool: the spool's folder.
        reason: what the system says.
    """

    def __init__(self, spool: str, reason: str) -> None:
        self.spool = spool
        self.reason = reason
        super().__init__(f"the spool {spool} cannot be written: {reason}")

    def __reduce__(self) -> tuple[type[SpoolError], tuple[str, str]]:
        return (type(self), (self.spool, self.reason))


class RunActive(VaportrailError):
    """The run is still alive, so it cannot be sealed from outside."""


class RayLost(VaportrailError):
    """A process that Ray cannot go on without ended during the run, which ends with it.

    Attributes:
        process: as Ray calls it, such as ``"gcs_server"``.
    """

    def __init__(self, process: str) -> None:
        super().__init__(
            f"Ray's process {process} ended while the run went on: it was killed, as by a system that is "
            "out of memory, or it crashed"
        )
        self.process = process

    def __reduce__(self) -> tuple[type[RayLost], tuple[str]]:
        return type(self), (self.process,)


class InternalError(VaportrailError):
    """A fault of Vaportrail itself, or of what it calls; its `__cause__` is what was raised.

    The run ends with it: its tasks are cancelled, its record says so. Nothing in the pipeline can mend
    it; please report it with the traceback that the record holds.
    """

    @classmethod
    def of(cls, fault: BaseException) -> VaportrailError:
        """Return a fault as one of this package's errors: itself, where it is one already."""
        if isinstance(fault, VaportrailError):
            return fault
        error = cls(
            f"a fault of Vaportrail: {type(fault).__name__}: {fault}; please report it with its traceback"
        )
        error.__cause__ = fault
        return error
