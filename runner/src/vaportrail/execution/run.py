"""A whole run on this machine: check, record, start Ray, run the body, end, seal."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaportrail.authoring import session
from vaportrail.authoring.parameters import Parameters
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.contract import Failure, Outcome, RunIdentity, RunSettings
from vaportrail.errors import TaskFailed, UsageError
from vaportrail.execution.attempt import describe_failure
from vaportrail.execution.backend import RayBackend
from vaportrail.execution.environment import capture_environment
from vaportrail.execution.executor import Executor
from vaportrail.execution.local import embedded_ray
from vaportrail.execution.progress import Progress, Silent
from vaportrail.execution.verdict import Verdict, judge
from vaportrail.storage import layout
from vaportrail.storage.store import is_remote, normalise_root, open_store, probe
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.context import attempt_scope
from vaportrail.telemetry.recorder import SERVER, Recorder, exception_values, install, run_values, uninstall
from vaportrail.telemetry.stdlib_logging import install_handler

if TYPE_CHECKING:
    from vaportrail.record.read import Run

__all__ = ["Cancellation", "Prepared", "RunCancelled", "execute", "prepare", "run_pipeline"]


class RunCancelled(BaseException):
    """Raised in the pipeline's body when the run is cancelled from outside."""


class Cancellation:
    """Carries a cancellation into the run: at once where it can be heard, else as soon as it can.

    Before Ray starts and after it has stopped the run writes what its record cannot do without.
    """

    def __init__(self) -> None:
        self._armed = False
        self._requested = ""

    def request(self, reason: str) -> None:
        """Cancel the run; called in the main thread, as by a signal's handler."""
        self._requested = reason
        if self._armed:
            raise RunCancelled(reason)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Hear cancellations within this block, and the one that came before it."""
        self._armed = True
        try:
            if self._requested:
                raise RunCancelled(self._requested)
            yield
        finally:
            self._armed = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that was checked and fixed; nothing has started yet."""

    settings: RunSettings
    pipeline: Pipeline[..., Any]
    arguments: Mapping[str, Any]


def prepare(
    pipeline: Pipeline[..., Any],
    parameters: Mapping[str, Any],
    *,
    root: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    entrypoint: str = "",
    clock: Callable[[], int] = time.time_ns,
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Prepared:
    """Check everything that can be checked before anything starts, and fix who the run is.

    Raises:
        UsageError: a parameter, a name or the record root is not right.
        RecordError: the record root cannot be written, or is not safe to write to.
    """
    if session.current() is not None or attempt_scope() is not None:
        raise UsageError(
            f"pipeline {pipeline.name!r} cannot be run from within another run; call it as a function, "
            "and its tasks become tasks of that run"
        )
    checked = Parameters(pipeline.name, pipeline.fn)
    arguments = checked.validate(parameters)
    record_root = normalise_root(root or os.environ.get("VAPORTRAIL_RECORD") or layout.DEFAULT_ROOT)
    created, uid = clock(), new_uid()
    for tag, value in (tags or {}).items():
        if not isinstance(value, str):
            raise UsageError(f"tag {tag!r}: {value!r} is not a str")
    identity = RunIdentity(
        uid=uid,
        pipeline=layout.check_pipeline_name(pipeline.name),
        name=layout.check_value_name(name) if name else layout.directory_name(uid, created),
        created_unix_nano=created,
        parameters=checked.describe(arguments),
        tags=dict(tags or {}),
        entrypoint=entrypoint or f"{pipeline.fn.__module__}:{pipeline.fn.__qualname__}",
    )
    local_root = Path(layout.DEFAULT_ROOT if is_remote(record_root) else record_root)
    spool = local_root.absolute() / layout.SPOOL / uid
    _check_writable(local_root)
    if is_remote(record_root):
        probe(open_store(record_root), f"{layout.SPOOL}/{uid}")
    settings = RunSettings(
        identity=identity, spool=str(spool), root=record_root, path=layout.run_path(identity)
    )
    return Prepared(settings, pipeline, arguments)


def _check_writable(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not os.access(root, os.W_OK | os.X_OK):
            raise PermissionError(13, "it is not writable")
    except OSError as error:
        raise UsageError(
            f"record root {str(root)!r} cannot be written: {error.strerror}; give another with --record"
        ) from None


def execute(
    prepared: Prepared,
    progress: Progress,
    *,
    cancellation: Cancellation | None = None,
    cpus: int | None = None,
) -> Verdict:
    """Run a prepared pipeline on an embedded Ray; its spool holds everything when this returns.

    Args:
        cancellation: lets a signal's handler cancel the run.
        cpus: how many CPUs Ray may hand out; all unless given.
    """
    settings = prepared.settings
    cancellation = cancellation or Cancellation()
    with ExitStack() as stack:
        stack.enter_context(_alive(settings))
        recorder = install(settings, "runner")
        stack.callback(uninstall)
        install_handler()
        _write_started(recorder, prepared)
        verdict = Verdict(Outcome.RUNNER_LOST, "")
        try:
            progress.milestone("starting Ray")
            with cancellation.armed(), embedded_ray(cpus=cpus):
                recorder.milestone("ray started")
                progress.milestone("Ray started")
                verdict = _run_body(prepared, recorder, progress)
            recorder.milestone("ray stopped")
        except (RunCancelled, KeyboardInterrupt):
            verdict = Verdict(Outcome.CANCELLED, "cancelled while Ray was starting or stopping")
        except Exception as error:
            verdict = Verdict(Outcome.FAILED, f"Ray could not run: {error}", describe_failure(error))
        _write_ended(recorder, verdict)
    return verdict


def run_pipeline(
    pipeline: Pipeline[..., Any],
    parameters: Mapping[str, Any],
    *,
    root: str | None,
    name: str | None,
    tags: Mapping[str, str],
) -> Run:
    """Run and seal; behind `Pipeline.run`."""
    from vaportrail.record.local_seal import seal_spool
    from vaportrail.record.read import open_run

    prepared = prepare(pipeline, parameters, root=root, name=name, tags=tags)
    execute(prepared, Silent())
    seal_spool(Path(prepared.settings.spool))
    return open_run(prepared.settings.record_uri)


@contextmanager
def _alive(settings: RunSettings) -> Iterator[None]:
    """Hold the lock that says the runner lives, beside the file that says what it runs."""
    spool = Path(settings.spool)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    (spool / layout.RUN_FILE).write_text(settings.to_json())
    with (spool / layout.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _run_body(prepared: Prepared, recorder: Recorder, progress: Progress) -> Verdict:
    executor = Executor(recorder, RayBackend(prepared.settings), progress)
    body_failure: Failure | None = None
    cancelled = False
    try:
        recorder.milestone("pipeline started")
        try:
            with session.entered(executor):
                prepared.pipeline.fn(**prepared.arguments)
        except Exception as error:
            body_failure = describe_failure(error)
            if not isinstance(error, TaskFailed):
                _write_body_failure(recorder, body_failure)
        executor.drain()
    except (RunCancelled, KeyboardInterrupt):
        cancelled = True
        executor.cancel_all()
        executor.drain()
    recorder.milestone("pipeline ended")
    executor.close()
    return judge(executor.calls, body_failure, cancelled=cancelled)


def _write_started(recorder: Recorder, prepared: Prepared) -> None:
    identity = prepared.settings.identity
    code = inspect.unwrap(prepared.pipeline.fn).__code__.co_filename
    folder = Path(code).parent if os.path.exists(code) else Path.cwd()
    recorder.span_started(
        f"RUN {identity.pipeline}",
        recorder.run_span_id,
        "",
        kind=SERVER,
        event=c.EVENT_RUN_STARTED,
        unix_nano=identity.created_unix_nano,
        values={
            **run_values(identity, prepared.settings.driver),
            c.RUN_ENVIRONMENT: json.dumps(capture_environment(folder)),
        },
    )


def _write_body_failure(recorder: Recorder, failure: Failure) -> None:
    message = f"the pipeline's body raised {failure.type}: {failure.message}"
    recorder.log(message, severity=(17, "ERROR"), values=exception_values(failure))


def _write_ended(recorder: Recorder, verdict: Verdict) -> None:
    identity = recorder.settings.identity
    now = recorder.clock()
    recorder.log(
        event=c.EVENT_RUN_ENDED,
        span_id=recorder.run_span_id,
        unix_nano=now,
        values={c.OUTCOME: verdict.outcome.value, c.RUN_MESSAGE: verdict.message},
    )
    values = {
        c.PIPELINE_ACTION_NAME: "RUN",
        c.PIPELINE_NAME: identity.pipeline,
        c.PIPELINE_RESULT: verdict.outcome.cicd_result,
        c.OUTCOME: verdict.outcome.value,
    }
    if not verdict.outcome.ok:
        values[c.ERROR_TYPE] = verdict.failure.type if verdict.failure else verdict.outcome.value
    recorder.span(
        f"RUN {identity.pipeline}",
        recorder.run_span_id,
        "",
        identity.created_unix_nano,
        now,
        kind=SERVER,
        ok=verdict.outcome.ok,
        message=verdict.message,
        values=values,
        failure=verdict.failure,
    )
