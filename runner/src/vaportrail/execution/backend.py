"""What the executor needs of the thing that runs attempts, and Ray Core behind it."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vaportrail.authoring.options import TaskOptions
from vaportrail.contract import Failure, Outcome, RunSettings, exception_type
from vaportrail.errors import InternalError, OptionError, TaskFailed, VaportrailError
from vaportrail.execution.attempt import AttemptSpec, Report, describe_failure, run_attempt, stack_file
from vaportrail.execution.cancellation import AttemptCancelled, cancel_marker
from vaportrail.execution.deadline import AttemptTimedOut
from vaportrail.execution.stacks import find_stacks, read_stacks

__all__ = ["AttemptEnd", "Backend", "RayBackend", "Running"]

_LOOK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, as the driver sees it.

    Attributes:
        outcome: the typed end.
        failure: the exception, or the evidence there is.
        error: the exception itself where it could travel, pickled where another process raised it.
        spoken: whether the attempt itself said so; otherwise the driver has to write it down.
        retryable: whether another attempt may be worth it.
    """

    outcome: Outcome
    failure: Failure | None = None
    error: BaseException | bytes | None = None
    spoken: bool = True
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that was handed over: two references, to its report and to its value."""

    spec: AttemptSpec
    report: Any
    value: Any


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
        """Hand an attempt over; `on_end` is called once, from any thread, when it has ended."""
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
        once = {"num_returns": 2, "max_retries": 0, "retry_exceptions": False}
        self._remote = ray.remote(**once)(run_attempt)
        # Ray takes this only where the function is made remote, not among a call's options.
        self._isolated = ray.remote(**once, max_calls=1)(run_attempt)
        self._configured: dict[Any, Any] = {}
        self._forced: set[tuple[str, int]] = set()
        self._seen: tuple[float, list[dict[str, float]]] = (-math.inf, [])
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
        try:
            report.future().add_done_callback(lambda future: self._landed(spec, future, on_end))
        except BaseException:
            self._ray.cancel(report, force=True)  # nobody would hear of it
            raise
        return Running(spec, report, value)

    def hindrance(self, options: TaskOptions) -> str:
        if self._offered is not None:
            return ""  # `start` refuses it
        wanted = _wanted(options)
        nodes = self._nodes()
        if any(all(node.get(name, 0.0) >= amount for name, amount in wanted.items()) for node in nodes):
            return ""
        asked = ", ".join(f"{amount:g} of {name}" for name, amount in wanted.items() if amount)
        return f"it asks for {asked}, and none of the {len(nodes)} nodes of this cluster has so much"

    def stop(self, running: Running, *, force: bool) -> None:
        spec = running.spec
        if force:
            self._forced.add((spec.task_id, spec.attempt))
        try:
            cancel_marker(self._settings.spool, spec.task_id, spec.attempt).touch()
        finally:  # on a full disk Ray's own way is left
            self._ray.cancel(running.report, force=force, recursive=True)

    def fetch(self, running: Running) -> Any:
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(running.value)
        except (exceptions.ObjectLostError, exceptions.NodeDiedError) as error:
            failure = _failure(error, _plain(error), "")
            raise TaskFailed(running.spec.task_id, Outcome.VALUE_LOST, failure) from None
        except exceptions.RayError as error:
            raise _original(error) from None

    def _nodes(self) -> list[dict[str, float]]:
        """Return what each node offers, as it was a few seconds ago at most."""
        looked, nodes = self._seen
        if time.monotonic() - looked > _LOOK_SECONDS:
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._seen = (time.monotonic(), nodes)
        return nodes

    def _check_fits(self, options: TaskOptions) -> None:
        """Refuse what this Ray can never offer: it would let the task wait for ever, in silence."""
        if self._offered is None:
            return
        for name, amount in _wanted(options).items():
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
        key = repr((options.isolate, sorted(chosen.items())))
        if key not in self._configured:
            remote = self._isolated if options.isolate else self._remote
            self._configured[key] = remote.options(**chosen)
        return self._configured[key]

    def _landed(self, spec: AttemptSpec, future: Any, on_end: Callable[[AttemptEnd], None]) -> None:
        """Take an attempt's end from Ray, in a thread of Ray's, which forgets what is raised in it."""
        try:
            error = future.exception()
            if error is None:
                end = self._spoken_end(future.result())
            elif spec.timeout is None or not isinstance(error, self._ray.exceptions.WorkerCrashedError):
                end = self._unspoken_end(spec, error)
            else:
                # Nodes are asked, which this thread of Ray's must not wait for.
                look = threading.Thread(target=self._look_for_limit, args=(spec, error, on_end), daemon=True)
                look.start()
                return
        except BaseException as fault:
            end = _fault_end(fault)
        on_end(end)

    def _spoken_end(self, report: Report) -> AttemptEnd:
        return AttemptEnd(
            report.outcome,
            report.failure,
            report.error or None,
            spoken=report.recorded,
            retryable=report.retryable,
        )

    def _look_for_limit(
        self, spec: AttemptSpec, error: BaseException, on_end: Callable[[AttemptEnd], None]
    ) -> None:
        """Tell of an attempt with a time limit whose process ended without a word: was it that?"""
        try:
            end = self._limit_end(spec) or self._unspoken_end(spec, error)
        except BaseException as fault:
            end = _fault_end(fault)
        on_end(end)

    def _limit_end(self, spec: AttemptSpec) -> AttemptEnd | None:
        path = stack_file(self._settings.spool, spec.task_id, spec.attempt)
        try:
            stacks = read_stacks(path) if self._offered is not None else find_stacks(path)
        except Exception:  # Ray itself is going
            return None
        if not stacks:
            return None
        message = f"ran longer than its timeout of {spec.timeout:g} s and did not hear the signal"
        failure = _failure(AttemptTimedOut(), message, stacks)
        return AttemptEnd(Outcome.TIMED_OUT, failure, spoken=False)

    def _unspoken_end(self, spec: AttemptSpec, error: BaseException) -> AttemptEnd:
        """Return the typed end of an attempt that could not speak for itself."""
        exceptions = self._ray.exceptions
        text, traceback = _plain(error), ""
        outcome = Outcome.FAILED
        if isinstance(error, exceptions.TaskCancelledError):
            text = self._cancelled(spec, error)
            return AttemptEnd(Outcome.CANCELLED, _failure(AttemptCancelled(), text, ""), spoken=False)
        if isinstance(error, exceptions.OutOfMemoryError):
            outcome = Outcome.OOM_KILLED
        elif isinstance(error, exceptions.NodeDiedError):
            outcome = Outcome.NODE_LOST
        elif isinstance(error, exceptions.ObjectLostError | exceptions.ObjectReconstructionFailedError):
            outcome = Outcome.VALUE_LOST
        elif isinstance(error, exceptions.LocalRayletDiedError):
            text = "Ray's raylet on this machine has ended"
            failure = _failure(error, text, "")
            return AttemptEnd(Outcome.NODE_LOST, failure, spoken=False, retryable=False)
        elif isinstance(error, exceptions.WorkerCrashedError):
            outcome = Outcome.WORKER_LOST
            text = "the attempt's process ended without a word: a signal, os._exit() or a crash"
        elif isinstance(error, exceptions.RayTaskError):
            return self._around_the_code(error)
        elif isinstance(error, exceptions.RuntimeEnvSetupError):
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            text, traceback = f"{lines[0].rstrip('.')}: {lines[-1]}", text
        return AttemptEnd(outcome, _failure(error, text, traceback), spoken=False)

    def _cancelled(self, spec: AttemptSpec, error: BaseException) -> str:
        """Return how it came that an attempt was cancelled and did not say so itself."""
        if (spec.task_id, spec.attempt) in self._forced:
            return "cancelled, and ended by force, as it did not end by itself"
        if isinstance(error, self._ray.exceptions.RayTaskError):  # of its worker
            return "cancelled as it was about to run or to end"
        return "cancelled before it ran, or its process ended as it was cancelled"

    def _around_the_code(self, error: Any) -> AttemptEnd:
        """Return the end of an attempt that broke before or after the user's code."""
        cause = getattr(error, "cause", None) or error
        original = _original(cause)
        if isinstance(cause, VaportrailError):
            text = str(cause)
        elif isinstance(cause, self._ray.exceptions.RaySystemError):
            text = f"an argument cannot be loaded in the worker: {_plain(original)}"
        elif isinstance(cause, self._ray.exceptions.RayError):
            text = f"its result could not leave the worker: {_plain(original)}"
        else:
            text = f"the worker could not begin or end the attempt: {_plain(original)}"
        return AttemptEnd(Outcome.FAILED, _failure(original, text, _plain(error)), spoken=False)


def _wanted(options: TaskOptions) -> dict[str, float]:
    return {"CPU": options.cpus, "GPU": options.gpus, "memory": options.memory, **options.resources}


_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def _plain(error: BaseException) -> str:
    """Return an error's words without the colours that Ray puts into them."""
    return _COLOUR.sub("", str(error)).strip()


def _original(error: Any) -> BaseException:
    """Return what Ray wraps: a `RaySystemError`'s words hold a traceback of Ray's own."""
    inner = getattr(error, "client_exc", None) or getattr(error, "cause", None)
    return inner if isinstance(inner, BaseException) else error


def _fault_end(fault: BaseException) -> AttemptEnd:
    """Return the end of an attempt of which cannot be told how it ended."""
    error = InternalError.of(fault)
    return AttemptEnd(Outcome.FAILED, describe_failure(error), error, spoken=False, retryable=False)


def _failure(error: BaseException, message: str, traceback: str) -> Failure:
    return Failure(type=exception_type(error), message=message, traceback=traceback)
