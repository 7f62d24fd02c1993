"""One attempt, inside its Ray worker: set up the record's hand, run the function, say how it ended."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from opentelemetry import context as otel_context

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.execution.attempt_cancellation import AttemptCancelled, cancel_marker, cancellable, watch
from vaportrail.execution.attempt_lines import AttemptLines, attempt_lines
from vaportrail.execution.breakpoints import refuse_breakpoints
from vaportrail.execution.deadline import AttemptTimedOut, keeping_limit, time_limit
from vaportrail.execution.described_failure import FailureCarrier, describe_failure
from vaportrail.execution.forked import signals_by_default_in_children
from vaportrail.execution.nested_ray import count_nested_work, tell_nested_work
from vaportrail.execution.payload import check_picklable, load_call, load_function
from vaportrail.execution.put_back import KnownState, put_back
from vaportrail.execution.travelling_exception import pickled
from vaportrail.execution.variables import variables
from vaportrail.telemetry.active_recorder import active, install
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.children import child_variables, end_reusable_processes
from vaportrail.telemetry.identity import attempt_span_id
from vaportrail.telemetry.left_threads import leave_threads
from vaportrail.telemetry.output import end_values
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.stdlib_logging import install_handler
from vaportrail.telemetry.tracing import install_provider, parent_context

__all__ = [
    "SUCCEEDED",
    "AttemptReport",
    "AttemptSpec",
    "attempt_that_cannot_begin",
    "run_attempt",
    "stack_file",
]


class AttemptSpec(NamedTuple):
    """What a worker must know to run an attempt, besides the arguments."""

    task_id: str
    task_name: str
    attempt: int
    span_id: str
    """The task's, above the attempt's own."""
    function: bytes
    timeout: float | None = None
    env: Mapping[str, str] | None = None
    retry_on: tuple[type[BaseException], ...] = (BaseException,)


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """What an attempt says of itself; travels to the runner beside the value."""

    outcome: Outcome
    failure: Failure | None = None
    error: bytes = b""
    """The exception itself, pickled, where it can be."""
    retryable: bool = True
    """Whether it is one of the exceptions that the task wants retried."""
    recorded: bool = True
    """Whether the attempt could write its own end; otherwise the runner has to."""


SUCCEEDED: Final = AttemptReport(Outcome.SUCCEEDED)
"""What most of them say."""

SCRATCH_VARIABLE = "VAPORTRAIL_SCRATCH"
"""Where attempts make their scratch folders; the system's temporary folder unless set."""

_captures: dict[str, Capture] = {}
_state = KnownState()

# As this is imported: what others register afterwards runs after it.
signals_by_default_in_children()


def stack_file(spool: str, task_id: str, attempt: int) -> Path:
    """Return where an attempt's stacks go when its time limit has to end its process."""
    return Path(spool) / f"{task_id}.{attempt}.stack"


def run_attempt(
    settings_json: str, spec: AttemptSpec, payload: bytes, *values: Any
) -> tuple[AttemptReport, Any]:
    """Run one attempt of a task; the second value is the task's own.

    Nothing that happens raises out of here, be it the user's code or the record that fails: it is in
    the report.
    """
    try:
        attempt = _begin(settings_json, spec)
    except Exception as error:
        return attempt_that_cannot_begin(error), None
    report, value = _call(attempt, payload, values)
    try:
        with keeping_limit(spec.timeout, attempt.stacks):
            _end(attempt, report)
    except Exception as error:
        return _unrecorded(error, "what the attempt printed or how it ended could not be recorded"), None
    return report, value


class _Attempt(NamedTuple):
    """An attempt that has begun: its place in the record, and its own hands on it."""

    spec: AttemptSpec
    scope: AttemptScope
    start: int
    stacks: Path
    recorder: Recorder
    lines: AttemptLines
    capture: Capture
    threads: frozenset[threading.Thread]
    """Those that there were as it began."""


def _begin(settings_json: str, spec: AttemptSpec) -> _Attempt:
    settings = _read_settings(settings_json)
    recorder, capture = _prepare(settings)
    uid = settings.identity.uid
    span_id = attempt_span_id(uid, spec.task_id, spec.attempt, settings.incarnation)
    start = recorder.clock()
    deadline = None if spec.timeout is None else start + int(spec.timeout * 1e9)
    # Only its name: who asks for the folder makes it.
    scratch = f"{_scratch_root()}{os.sep}vaportrail-{uid[:8]}-{spec.task_id}.{spec.attempt}"
    scope = AttemptScope(spec.task_id, spec.task_name, spec.attempt, span_id, deadline, scratch)
    if spec.env:
        recorder.keep_secret(spec.env)
    offsets = capture.offsets()
    set_attempt_scope(scope, settings)
    lines = attempt_lines(recorder, spec.task_name, _node_id())
    lines.begun(scope, spec.span_id, start, offsets)
    threads = frozenset(threading.enumerate())
    stacks = Path() if spec.timeout is None else stack_file(settings.spool, spec.task_id, spec.attempt)
    return _Attempt(spec, scope, start, stacks, recorder, lines, capture, threads)


def _call(attempt: _Attempt, payload: bytes, values: tuple[Any, ...]) -> tuple[AttemptReport, Any]:
    """Call the user's function; return how that ended, and the task's value."""
    spec, spool, stacks = attempt.spec, attempt.recorder.settings.spool, attempt.stacks
    token = otel_context.attach(parent_context(attempt.recorder.trace_id, attempt.scope.span_id))
    try:
        children = child_variables(attempt.recorder.settings, attempt.scope)
        marker = cancel_marker(spool, spec.task_id, spec.attempt)
        with (
            cancellable(marker),
            time_limit(spec.timeout, stacks),
            variables({**(spec.env or {}), **children}),
        ):
            # Modules are imported here: what they set up stays for those who import them later.
            args, kwargs = _loaded("an argument", lambda: load_call(payload, values))
            function = _loaded("the task's function", lambda: load_function(spec.function))
            try:
                with put_back(known=_state):
                    value = function(*args, **kwargs)
            except SystemExit as leaving:  # in peace, as a program's `main` does
                if leaving.code not in (None, 0):
                    raise
                value = None
            check_picklable(value)
            # Within the limits: much output is the task's own doing.
            attempt.capture.keep_up()
        return SUCCEEDED, value
    except BaseException as error:
        with keeping_limit(spec.timeout, stacks):
            return _report(error, spec.retry_on), None
    finally:
        otel_context.detach(token)


def _loaded(what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:
        told = replace(describe_failure(error), message=f"{what} cannot be loaded in the worker: {error}")
        raise FailureCarrier(told, error) from error


def _end(attempt: _Attempt, report: AttemptReport) -> None:
    """Record what the attempt printed and how it ended, and take away what it left in its process."""
    scope = attempt.scope
    try:
        end_reusable_processes()
        tell_nested_work()
        left = leave_threads(scope, attempt.threads)
        if left:
            _state.forget()
        ends = end_values(attempt.capture.finish(scope, threads_left=left))
        parent, start = attempt.spec.span_id, attempt.start
        attempt.lines.ended(scope, parent, start, report.outcome, report.failure, ends)
    finally:
        # By its name also child processes make it. This way of asking raises nothing, even within.
        if os.access(scope.scratch, os.F_OK):
            shutil.rmtree(scope.scratch, ignore_errors=True)
        set_attempt_scope(None)


def attempt_that_cannot_begin(error: Exception) -> AttemptReport:
    """Return the report of an attempt of which nothing has run."""
    return _unrecorded(error, "the attempt could not begin")


def _unrecorded(error: Exception, what: str) -> AttemptReport:
    """Return the report of an attempt that the record in this process could not take."""
    failure = replace(describe_failure(error), message=f"{what}: {error}")
    return AttemptReport(Outcome.FAILED, failure, recorded=False)


@lru_cache(maxsize=4)
def _read_settings(settings_json: str) -> RunSettings:
    return RunSettings.from_json(settings_json)


def _prepare(settings: RunSettings) -> tuple[Recorder, Capture]:
    recorder = install(settings, "worker")
    writer = recorder.writer.header.writer
    if writer not in _captures:
        # Where Ray ends a lost worker's children it also ignores SIGCHLD, and then a program that
        # fails looks to `subprocess` as if it had succeeded.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _captures[writer] = Capture(recorder)
        sys.argv[:] = [""]  # Ray's own are none of a task's
        refuse_breakpoints()
        watch()
        install_provider()
        count_nested_work()
    install_handler()
    return recorder, _captures[writer]


@lru_cache(maxsize=1)
def _scratch_root() -> str:
    return os.environ.get(SCRATCH_VARIABLE) or tempfile.gettempdir()


@lru_cache(maxsize=1)
def _node_id() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _report(error: BaseException, retry_on: tuple[type[BaseException], ...]) -> AttemptReport:
    failure = describe_failure(error)
    recorder = active()
    secrets = None
    if recorder is not None:
        failure, secrets = recorder.without_secrets(failure), recorder.writer.redact
    if isinstance(error, AttemptTimedOut):
        return AttemptReport(Outcome.TIMED_OUT, failure)
    if isinstance(error, AttemptCancelled):
        return AttemptReport(Outcome.CANCELLED, failure)
    if isinstance(error, FailureCarrier) and error.outcome is not Outcome.FAILED:
        return AttemptReport(error.outcome, failure)
    original = error.original if isinstance(error, FailureCarrier) and error.original else error
    return AttemptReport(Outcome.FAILED, failure, pickled(original, secrets), isinstance(original, retry_on))
