"""A whole run, on this machine's own Ray or on a cluster's: check, record, run the body, end, seal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaportrail.authoring import session
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import (
    InternalError,
    RayLost,
    SpoolError,
    TaskFailed,
    VaportrailError,
)
from vaportrail.execution.alone import alone
from vaportrail.execution.captured_environment import capture_environment, folder_of
from vaportrail.execution.described_failure import describe_failure
from vaportrail.execution.ending_signals import ends_on_signals
from vaportrail.execution.executor import Executor
from vaportrail.execution.judge import judge
from vaportrail.execution.left_children import tell_left_children
from vaportrail.execution.local import embedded_ray
from vaportrail.execution.nested_ray import counted_nested_work
from vaportrail.execution.observers import Aside, NoProgress, Progress, Unfailing
from vaportrail.execution.own_lock import alive
from vaportrail.execution.prepare import Prepared, keep_to_oneself, prepare
from vaportrail.execution.ray_backend import RayBackend
from vaportrail.execution.ray_watch import watched_ray
from vaportrail.execution.reserve import Reserve
from vaportrail.execution.returned import call_body
from vaportrail.execution.run_cancellation import Cancellation, RunCancelled
from vaportrail.execution.run_recorder import write_body_failure, write_finished, write_started
from vaportrail.execution.variables import variables
from vaportrail.execution.verdict import CANCELLED, Verdict
from vaportrail.telemetry.active_recorder import install, uninstall
from vaportrail.telemetry.body_output import recorded_output
from vaportrail.telemetry.children import child_variables, no_child
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.started_programs import report_started_programs
from vaportrail.telemetry.stdlib_logging import install_handler
from vaportrail.telemetry.tracing import traced

if TYPE_CHECKING:
    from vaportrail.record.reading.recorded_run import Run

__all__ = ["execute", "record_refusal", "run_pipeline"]


def execute(
    prepared: Prepared,
    progress: Progress,
    ray: AbstractContextManager[None],
    *,
    cancellation: Cancellation | None = None,
    complete: bool = True,
    git: Mapping[str, Any] | None = None,
) -> Verdict:
    """Run a prepared pipeline; its spool holds everything when this returns.

    Args:
        prepared: what to run.
        progress: who hears of it.
        ray: connects this process to Ray for the length of its block.
        cancellation: lets a signal's handler end the run.
        complete: whether all of Ray's nodes are there from the start.
        git: the revision of the code, where its folder does not say it.

    Raises:
        SpoolError: the spool cannot be written, not even for the verdict.
    """
    cancellation = cancellation or Cancellation()
    folder = folder_of(prepared.pipeline.fn)
    with _recorded(prepared.settings, capture_environment(folder, git)) as recorder:
        reserve = Reserve(Path(prepared.settings.spool))
        try:
            with Aside(progress, partial(_warn, recorder)) as told:
                verdict = _drive(prepared, recorder, told, ray, cancellation, reserve, complete=complete)
        finally:
            reserve.close()
        # The ledger has counted what the spool does not take, and how the run went is known.
        with suppress(SpoolError, KeyboardInterrupt):
            tell_left_children(recorder, own_ray=complete)
        write_finished(recorder, verdict)
    return verdict


@contextmanager
def _body_captured(recorder: Recorder) -> Iterator[None]:
    """Record what the pipeline's body prints, its spans and its children; count what is not recorded."""
    with (
        variables(child_variables(recorder.settings, None)),
        counted_nested_work(),
        report_started_programs(),
        traced(),
        recorded_output(recorder),
    ):
        yield


def _drive(
    prepared: Prepared,
    recorder: Recorder,
    progress: Unfailing,
    ray: AbstractContextManager[None],
    cancellation: Cancellation,
    reserve: Reserve,
    *,
    complete: bool,
) -> Verdict:
    """Start Ray, run the body, stop Ray. Whatever is raised ends as a verdict that names it."""
    verdict: Verdict | None = None
    moment = "while Ray was starting"
    try:
        progress.stage("starting Ray")
        with cancellation.armed(), ray:
            backend = RayBackend(prepared.settings, complete=complete)
            moment = "as the run began or ended"
            executor = Executor(recorder, backend, progress, reserve.release)
            lost = partial(_lose, executor, cancellation)
            with closing(backend), closing(executor), _body_captured(recorder), watched_ray(lost):
                recorder.moment("ray started")
                progress.stage("Ray started")
                verdict = _run_body(prepared, recorder, executor, cancellation)
            moment = "while Ray was stopping"
        recorder.moment("ray stopped")
    except (RunCancelled, KeyboardInterrupt) as error:
        stopped = _stopped(error)
        done = f"; {verdict.message}" if verdict is not None else ""
        return replace(stopped, message=f"{stopped.message} {moment}{done}")
    except BaseException as error:
        if verdict is None and cancellation.requested is None:
            return _not_run(error, moment, prepared.settings.spool)
        # How the run went is known: its clean-up, or what broke off with it, does not decide that.
        _warn(recorder, f"{moment}: {type(error).__name__}: {error}")
        stopped = cancellation.requested or CANCELLED
        return verdict or replace(stopped, message=f"{stopped.message} {moment}")
    return verdict


def _lose(executor: Executor, cancellation: Cancellation, error: RayLost) -> None:
    try:
        executor.lose(error)
    finally:
        cancellation.ask(Verdict(Outcome.FAILED, str(error), describe_failure(error)))


def _not_run(error: BaseException, moment: str, spool: str) -> Verdict:
    """Return the verdict on a run whose body could not be run at all."""
    if isinstance(error, VaportrailError):
        message = str(error)
    elif moment == "while Ray was starting":
        message = f"Ray could not start: {error}"
    elif isinstance(error, OSError):
        error = SpoolError(spool, error.strerror or str(error))
        message = str(error)
    else:
        error = InternalError.of(error)
        message = str(error)
    return Verdict(Outcome.FAILED, message, describe_failure(error))


def _warn(recorder: Recorder, text: str) -> None:
    """Write a warning of the run itself, if the spool can still take one."""
    with suppress(SpoolError):
        recorder.log(text, severity=(13, "WARN"), span_id=recorder.run_span_id)


def record_refusal(settings: RunSettings, verdict: Verdict, git: Mapping[str, Any] | None = None) -> None:
    """Write the record of a run that could not even begin."""
    with _recorded(settings, capture_environment(Path.cwd(), git)) as recorder:
        write_finished(recorder, verdict)


@contextmanager
def _recorded(settings: RunSettings, environment: Mapping[str, Any]) -> Iterator[Recorder]:
    with ExitStack() as stack:
        stack.enter_context(no_child())
        stack.enter_context(alive(settings))
        recorder = install(settings, "runner")
        stack.callback(_close, settings)
        stack.callback(install_handler())
        write_started(recorder, environment)
        yield recorder


def _close(settings: RunSettings) -> None:
    try:
        uninstall()
    except OSError as error:  # some file systems say only now that they could not keep it
        raise SpoolError(settings.spool, error.strerror or str(error)) from error


def _stopped(error: BaseException) -> Verdict:
    return error.verdict if isinstance(error, RunCancelled) else CANCELLED


def run_pipeline(
    pipeline: Pipeline[..., Any],
    parameters: Mapping[str, Any],
    *,
    root: str | None,
    name: str | None,
    tags: Mapping[str, str],
) -> Run:
    """Run and seal; behind `Pipeline.run`."""
    from vaportrail.record.reading.read import open_run
    from vaportrail.record.seal.local_seal import seal_spool

    with ends_on_signals() as cancellation:
        with alone(pipeline.name):
            prepared = prepare(pipeline, parameters, root=root, name=name, tags=tags)
            keep_to_oneself(prepared.settings)
            execute(prepared, NoProgress(), embedded_ray(), cancellation=cancellation)
        seal_spool(Path(prepared.settings.spool), root=prepared.settings.root)
    run = open_run(prepared.settings.record_uri)
    run.tell_result(prepared.returned.value, missing=prepared.returned.missing)
    return run


def _run_body(
    prepared: Prepared,
    recorder: Recorder,
    executor: Executor,
    cancellation: Cancellation,
) -> Verdict:
    body_failure: Failure | None = None
    stopped: Verdict | None = None
    value: Any = None
    try:
        executor.guard(lambda: recorder.moment("pipeline started"))
        try:
            with session.entered(executor):
                # The tasks first: what the body does about it is its own affair.
                value = cancellation.call(
                    lambda: call_body(prepared.pipeline.fn, prepared.arguments), executor.cancel_all
                )
        except (RunCancelled, KeyboardInterrupt):
            raise
        except SpoolError as error:
            executor.land(error)
        except BaseException as error:
            if error is not executor.fault:
                failure = body_failure = describe_failure(error)
                prepared.returned.lost(f"the pipeline's body raised {failure.type}: {failure.message}")
                if not isinstance(error, TaskFailed):
                    executor.guard(lambda: write_body_failure(recorder, failure))
        if cancellation.requested is not None:  # whatever the body made of it
            raise RunCancelled(cancellation.requested)
        executor.drain()
        if body_failure is None and executor.fault is None:
            prepared.returned.resolve(value)
    except (RunCancelled, KeyboardInterrupt) as error:
        stopped = _stopped(error)
        prepared.returned.lost(stopped.message)
        try:
            executor.cancel_all()
            executor.drain()
        except (RunCancelled, KeyboardInterrupt):  # once more: at once
            executor.give_up()
            executor.drain()
    executor.guard(lambda: recorder.moment("pipeline ended"))
    executor.close()
    if executor.fault is not None:
        stopped = Verdict(Outcome.FAILED, str(executor.fault), describe_failure(executor.fault))
    return judge(executor.calls, body_failure, stopped=stopped)
