"""What the executor needs of the thing that runs attempts, and Ray Core behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract import Failure, Outcome, RunSettings, exception_type
from vaportrail.errors import OptionError
from vaportrail.execution.attempt import AttemptSpec, Report, run_attempt, stack_file
from vaportrail.execution.cancellation import cancel_marker
from vaportrail.execution.deadline import AttemptTimedOut
from vaportrail.execution.stacks import find_stacks, read_stacks

__all__ = ["AttemptEnd", "Backend", "RayBackend", "Running"]


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, as the driver sees it.

    Attributes:
        outcome: the typed end.
        failure: the exception, or the evidence there is.
        error: the exception itself where it could travel.
        spoken: whether the attempt itself said so; otherwise the driver has to write it down.
        retryable: whether another attempt may be worth it.
    """

    outcome: Outcome
    failure: Failure | None = None
    error: BaseException | None = None
    spoken: bool = True
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that was handed over: two references, to its report and to its value."""

    spec: AttemptSpec
    report: Any
    value: Any


class Backend(Protocol):
    """Runs attempts somewhere."""

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        """Hand an attempt over; `on_end` is called once, from any thread, when it has ended."""
        ...

    def stop(self, running: Running, *, force: bool) -> None:
        """Interrupt an attempt, or end its process."""
        ...

    def fetch(self, running: Running) -> Any:
        """Return the value of an attempt that succeeded."""
        ...


class RayBackend:
    """Attempts as Ray tasks, with Ray's own retries off: one attempt is one Ray task.

    Args:
        settings: the run.
        complete: whether all of Ray's nodes are there already; only then can a task be refused for
            what it asks.
    """

    def __init__(self, settings: RunSettings, *, complete: bool = True) -> None:
        import ray

        self._ray = ray
        self._settings = settings
        self._settings_json = settings.to_json()
        self._remote = ray.remote(num_returns=2, max_retries=0, retry_exceptions=False)(run_attempt)
        self._configured: dict[Any, Any] = {}
        self._offered: dict[str, float] | None = ray.cluster_resources() if complete else None

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        self._check_fits(options)
        remote = self._with_options(options)
        report, value = remote.remote(self._settings_json, spec, payload, *inputs)
        running = Running(spec, report, value)
        report.future().add_done_callback(lambda future: self._ended(spec, future, on_end))
        return running

    def stop(self, running: Running, *, force: bool) -> None:
        spec = running.spec
        cancel_marker(self._settings.spool, spec.task_id, spec.attempt).touch()
        self._ray.cancel(running.report, force=force, recursive=True)

    def fetch(self, running: Running) -> Any:
        return self._ray.get(running.value)

    def _check_fits(self, options: TaskOptions) -> None:
        """Refuse what this Ray can never offer: it would let the task wait for ever, in silence."""
        if self._offered is None:
            return
        wanted = {"CPU": options.cpus, "GPU": options.gpus, "memory": options.memory, **options.resources}
        for name, amount in wanted.items():
            offered = self._offered.get(name, 0.0)
            if amount > offered:
                raise OptionError(
                    f"it asks for {amount:g} of {name}, of which this Ray has {offered:g} in all; "
                    "ask for less, or run it where there is more"
                )

    def _with_options(self, options: TaskOptions) -> Any:
        chosen: dict[str, Any] = {"num_cpus": options.cpus}
        if options.gpus:
            chosen["num_gpus"] = options.gpus
        if options.memory:
            chosen["memory"] = options.memory
        if options.resources:
            chosen["resources"] = dict(options.resources)
        if options.runtime_env:
            chosen["runtime_env"] = dict(options.runtime_env)
        if options.isolate:
            chosen["max_calls"] = 1
        key = repr(sorted(chosen.items()))
        if key not in self._configured:
            self._configured[key] = self._remote.options(**chosen)
        return self._configured[key]

    def _ended(self, spec: AttemptSpec, future: Any, on_end: Callable[[AttemptEnd], None]) -> None:
        error = future.exception()
        if error is None:
            report: Report = future.result()
            cause = self._ray.cloudpickle.loads(report.error) if report.error else None
            on_end(
                AttemptEnd(
                    report.outcome,
                    report.failure,
                    cause,
                    spoken=report.recorded,
                    retryable=report.retryable,
                )
            )
        elif spec.timeout is None or not isinstance(error, self._ray.exceptions.WorkerCrashedError):
            on_end(self._unspoken_end(error))
        else:
            # Nodes are asked, which this thread of Ray's must not wait for.
            threading.Thread(target=self._look_for_limit, args=(spec, error, on_end), daemon=True).start()

    def _look_for_limit(
        self, spec: AttemptSpec, error: BaseException, on_end: Callable[[AttemptEnd], None]
    ) -> None:
        """Tell of an attempt with a time limit whose process ended without a word: was it that?"""
        path = stack_file(self._settings.spool, spec.task_id, spec.attempt)
        try:
            stacks = read_stacks(path) if self._offered is not None else find_stacks(path)
        except Exception:  # Ray itself is going
            stacks = ""
        if not stacks:
            on_end(self._unspoken_end(error))
            return
        message = f"ran longer than its timeout of {spec.timeout:g} s and did not hear the signal"
        failure = _failure(AttemptTimedOut(), message, stacks)
        on_end(AttemptEnd(Outcome.TIMED_OUT, failure, spoken=False))

    def _unspoken_end(self, error: BaseException) -> AttemptEnd:
        """Return the typed end of an attempt that could not speak for itself."""
        exceptions = self._ray.exceptions
        text = str(error).strip()
        outcome = Outcome.FAILED
        if isinstance(error, exceptions.TaskCancelledError):
            outcome = Outcome.CANCELLED
            text = "cancelled before it ran, or ended because it did not hear the cancellation"
        elif isinstance(error, exceptions.OutOfMemoryError):
            outcome = Outcome.OOM_KILLED
        elif isinstance(error, exceptions.NodeDiedError):
            outcome = Outcome.NODE_LOST
        elif isinstance(error, exceptions.ObjectLostError | exceptions.ObjectReconstructionFailedError):
            outcome = Outcome.VALUE_LOST
        elif isinstance(error, exceptions.WorkerCrashedError | exceptions.LocalRayletDiedError):
            outcome = Outcome.WORKER_LOST
            text = "the attempt's process ended without a word: a signal, os._exit() or a crash"
        elif isinstance(error, exceptions.RayTaskError):
            cause = error.cause if getattr(error, "cause", None) is not None else error
            text = f"its result could not leave the worker: {cause}"
            return AttemptEnd(outcome, _failure(cause, text, str(error)), spoken=False)
        return AttemptEnd(outcome, _failure(error, text, ""), spoken=False)


def _failure(error: BaseException, message: str, traceback: str) -> Failure:
    return Failure(type=exception_type(error), message=message, traceback=traceback)
