"""A run on a Ray cluster: join, fetch the code, check, run, and say how it went.

The cluster takes seconds to come up, so joining goes on behind everything that needs no Ray.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from vaportrail.authoring.hidden_parameters import hidden_names
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.cluster.join import Join
from vaportrail.cluster.readiness import listening
from vaportrail.cluster.source import Fetched, fetch
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_messages import RunReport, RunRequest
from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import EntrypointError, RecordError, RootUnwritable, UsageError, VaportrailError
from vaportrail.execution.described_failure import describe_failure
from vaportrail.execution.observers import Aside, Progress
from vaportrail.execution.prepare import prepare_fixed
from vaportrail.execution.ray_environment import ray_environment
from vaportrail.execution.ray_session import connect, quiet
from vaportrail.execution.run import execute, record_refusal
from vaportrail.execution.run_cancellation import Cancellation, RunCancelled
from vaportrail.execution.shared_identity import without_secrets
from vaportrail.execution.verdict import Verdict
from vaportrail.record.times import rfc3339
from vaportrail.storage import layout
from vaportrail.storage.interruptible import interruptibly
from vaportrail.storage.probe import probe
from vaportrail.storage.store import normalise_root, open_store
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.described import describe
from vaportrail.telemetry.hidden import HIDDEN_TEXT
from vaportrail.telemetry.redact import redactor

__all__ = ["FinishedRun", "drive"]

_ANNOUNCE_SECONDS: Final = 5.0
"""How long the word that a run was refused may take, which nothing but `watch` waits for."""
Load = Callable[[str], Pipeline[..., Any]]
"""From `MODULE:PIPELINE` to the pipeline."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """How a run ended: the answer to who asked for it, whether what was asked for was wrong, and what the
    pipeline returned, where it did.
    """

    report: RunReport
    bad_input: bool = False
    result: Any = None


@dataclass(slots=True)
class _Moments:
    """When what happened, nanoseconds since the epoch; 0 where it did not."""

    joined: int = 0
    started: int = 0
    ended: int = 0


def drive(
    request: RunRequest,
    join: Join,
    *,
    load: Load,
    spool: Path,
    ready_port: int,
    progress: Progress,
    cancellation: Cancellation,
    clock: Callable[[], int] = time.time_ns,
) -> FinishedRun:
    """Do what a request asks for; everything that is to be recorded is in the spool afterwards.

    This process stays connected to Ray: who calls this ends it next.

    Args:
        request: what is asked for.
        join: has begun to join the cluster.
        load: finds the pipeline.
        spool: the folder of spools.
        ready_port: is open while the user's code runs.
        progress: who hears of it.
        cancellation: lets a signal's handler end the run.
        clock: nanoseconds since the epoch.
    """
    settings = replace(request.settings, spool=str(spool / request.identity.uid))
    moments, fetched, pipeline = _Moments(), Fetched(), None
    announced = bad_input = unwritable = False
    try:
        with cancellation.armed():
            settings = replace(settings, root=normalise_root(settings.root))
            fetched = fetch(request.source, join.folder / "source")
            pipeline, search_path = cancellation.call(
                partial(_load, request.identity.entrypoint, fetched, load)
            )
            prepared = prepare_fixed(pipeline, settings)
            announced = True  # or tried, which once is enough
            _announce(prepared.settings)
    except RunCancelled as error:
        verdict = error.verdict
    except VaportrailError as error:
        verdict = Verdict(Outcome.FAILED, str(error), describe_failure(error.__cause__ or error))
        bad_input = isinstance(error, UsageError) or isinstance(error.__cause__, UsageError)
        unwritable = isinstance(error, RootUnwritable)
    except Exception as error:  # a fault of ours, or of a library below: the run says it, too
        message = f"the runner failed: {type(error).__name__}: {error}"
        verdict = Verdict(Outcome.FAILED, message, describe_failure(error))
    else:
        ray = _cluster(
            request, join, _runtime_env(fetched, search_path), moments, cancellation, ready_port, clock
        )
        verdict = execute(prepared, progress, ray, cancellation=cancellation, complete=False, git=fetched.git)
        return FinishedRun(_report(verdict, moments, fetched), result=prepared.returned.value)
    if cancellation.requested is not None:  # whatever the code that was loaded made of it
        stopped = cancellation.requested
        verdict, bad_input = replace(stopped, message=f"{stopped.message} before the pipeline began"), False
    with Aside(progress) as told:
        told.stage(verdict.message)
    settings = _as_recorded(settings, pipeline)
    # First what the record needs: the store may be what failed.
    record_refusal(settings, verdict, fetched.git)
    if not announced:
        verdict = _announce_late(settings, verdict)
    report = _report(verdict, moments, fetched).model_copy(update={"unwritable": unwritable})
    return FinishedRun(report, bad_input)


def _load(entrypoint: str, fetched: Fetched, load: Load) -> tuple[Pipeline[..., Any], list[str]]:
    """Return the pipeline, and where its own modules are found besides the working folder."""
    if fetched.folder is not None:
        os.chdir(fetched.folder)
    before = {os.getcwd(), *sys.path}
    try:
        pipeline = load(entrypoint)
    except SystemExit as error:
        raise EntrypointError(f"{entrypoint!r}: importing it ended Python: {error}") from error
    return pipeline, [entry for entry in sys.path if entry not in before]


def _runtime_env(fetched: Fetched, search_path: list[str]) -> dict[str, Any]:
    """Return what Ray's workers need to import what was imported here."""
    runtime_env: dict[str, Any] = {}
    if fetched.folder is not None:
        runtime_env["working_dir"] = str(fetched.folder)
        # In a worker the folder has another name, but is where it starts.
        search_path = [os.path.relpath(entry, fetched.folder) for entry in search_path]
    if search_path:
        runtime_env["env_vars"] = {"PYTHONPATH": os.pathsep.join(search_path)}
    return runtime_env


def _announce(settings: RunSettings) -> None:
    """Leave word in the record root which run this is; see first that the root keeps what it is given.

    Raises:
        RootUnwritable: nothing can be written there.
        RecordError: it does not keep it, or another runner has begun this run.
    """
    try:
        store = open_store(settings.root, create=True)
    except UsageError as error:
        raise RootUnwritable(str(error)) from error
    except OSError as error:
        raise RootUnwritable(f"cannot write {settings.root}: {error}") from error
    prefix = f"{layout.SPOOL}/{settings.identity.uid}"
    probe(store, prefix)
    path, content = f"{prefix}/{layout.RUN_FILE}", settings.to_json().encode()
    # A repeated request may find what it itself has written.
    if not store.create(path, content) and store.get(path) != content:
        raise RecordError(f"{settings.root}/{path} stands already: another runner has begun this run")


def _as_recorded(settings: RunSettings, pipeline: Pipeline[..., Any] | None) -> RunSettings:
    """Return settings with parameters that were not accepted, as the record tells them."""
    hidden = hidden_names(pipeline.fn) if pipeline is not None else set[str]()
    plain = redactor(os.environ) or (lambda text: text)
    told = {
        name: HIDDEN_TEXT if name in hidden else describe(value, plain=plain)
        for name, value in settings.identity.parameters.items()
    }
    return replace(settings, identity=without_secrets(replace(settings.identity, parameters=told)))


def _announce_late(settings: RunSettings, verdict: Verdict) -> Verdict:
    """Leave the same word of a run that was refused; return the verdict with what hindered it."""
    try:
        interruptibly(lambda: _announce(settings), _ANNOUNCE_SECONDS)
    except TimeoutError:
        hindrance = f"{settings.root} did not answer within {_ANNOUNCE_SECONDS:g} s"
    except (VaportrailError, OSError) as error:
        hindrance = str(error)
    else:
        return verdict
    return replace(verdict, message=f"{verdict.message} (and: {hindrance})")


def _report(verdict: Verdict, moments: _Moments, fetched: Fetched) -> RunReport:
    return RunReport(
        outcome=verdict.outcome,
        message=verdict.message,
        joined=_time(moments.joined),
        user_code_started=_time(moments.started),
        user_code_ended=_time(moments.ended),
        source_revision=fetched.revision,
    )


def _time(unix_nano: int) -> str:
    return rfc3339(unix_nano) if unix_nano else ""


@contextmanager
def _cluster(
    request: RunRequest,
    join: Join,
    runtime_env: dict[str, Any],
    moments: _Moments,
    cancellation: Cancellation,
    ready_port: int,
    clock: Callable[[], int],
) -> Iterator[None]:
    """Connect to the cluster; within, the user's code runs."""
    # What is in the source is meant, also what its repository ignores.
    with ray_environment({"RAY_RUNTIME_ENV_IGNORE_GITIGNORE": "1"}):
        importlib.import_module("ray")  # it takes half a second, which there is now
        moments.joined = join.wait()
        recorder = active()
        if recorder is not None:
            recorder.moment("joined", moments.joined)
        connect(address=join.address, _temp_dir=str(join.folder), runtime_env=runtime_env or None)
        with quiet(), listening(ready_port), _time_limit(request.run_seconds, cancellation):
            moments.started = clock()
            try:
                yield
            finally:
                moments.ended = clock()


@contextmanager
def _time_limit(seconds: int, cancellation: Cancellation) -> Iterator[None]:
    """End the run when its time is over; 0 for no limit."""

    def over(_signum: int, _frame: FrameType | None) -> None:
        cancellation.request(Verdict(Outcome.TIMED_OUT, f"ran longer than its limit of {seconds} s"))

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
