"""Every edge of the driver: where something may raise that no caller catches. Each ends as a stated outcome.

The edges are found in the source: the methods of the protocols, callbacks, threads, timers, handlers of
signals. One that is new fails the first test until it has a row here, which says how it ends.
"""

from __future__ import annotations

import ast
import errno
import functools
import io
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray

import vaportrail
from thread_backend import InThreads
from vaportrail import cancel, outcome, pipeline, result, task
from vaportrail.authoring.options import TaskOptions
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.cli.run_command import _seal_and_report
from vaportrail.cluster.join import Join, JoinFailed
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.errors import RecordError, SpoolError
from vaportrail.execution import executor as executor_module
from vaportrail.execution import hindrance as hindrance_module
from vaportrail.execution import observers as progress_module
from vaportrail.execution import run as run_module
from vaportrail.execution import scheduler as scheduler_module
from vaportrail.execution import stopping as stopping_module
from vaportrail.execution.attempt import AttemptReport
from vaportrail.execution.backend import Backend
from vaportrail.execution.call import TaskCall
from vaportrail.execution.graph import Graph
from vaportrail.execution.observers import Aside, NoProgress, Progress
from vaportrail.execution.packed_attempt import pack_report
from vaportrail.execution.prepare import Prepared, keep_to_oneself, prepare
from vaportrail.execution.ray_backend import RayBackend
from vaportrail.execution.run import execute
from vaportrail.execution.run_cancellation import Cancellation
from vaportrail.execution.scheduler import Scheduler
from vaportrail.execution.task_recorder import TaskRecorder
from vaportrail.execution.verdict import Verdict
from vaportrail.execution.window import LEAST_WIDTH
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.telemetry.spool import Writer

SOURCE = Path(vaportrail.__file__).parent
ROOMS = ("execution", "notebooks", "cli", "telemetry", "shipper", "cluster", "submit")
LONGEST = 60
"""Seconds after which a run counts as hanging, on a busy machine too."""
BLAMES = ("Ray could not", "result could not leave", "RUNNER_LOST", "the runner died")
"""What none of these faults is."""

FAULT = "the fault of this test"
gate, HELD_BACK = threading.Event(), threading.Event()


@task
def add(a: int) -> int:
    return a + 1


@task(retries=1, backoff="1ms")
def fails() -> None:
    raise ConnectionError("no")


@task
def waits() -> None:
    assert gate.wait(LONGEST)


@task
def at_gate() -> None:
    assert HELD_BACK.wait(LONGEST)


@task(cpus=0)
def asks_for_nothing() -> None: ...


@task(timeout=60)
def limited() -> int:
    return 1


@pipeline
def plain() -> None:
    result(add(add(1)))


@pipeline
def retried() -> None:
    outcome(fails())


@pipeline
def cancelled() -> None:
    stuck = waits()
    cancel(stuck)
    outcome(stuck)


@pipeline
def blocked() -> None:
    outcome(waits())


@pipeline
def bounded() -> None:
    outcome(limited())


@pipeline
def crowded() -> None:
    """More than run at once: some wait for their turn."""
    first = [at_gate() for _ in range(LEAST_WIDTH)]
    rest = [add(i) for i in range(3)]
    outcome(asks_for_nothing())  # by its end those before it wait
    HELD_BACK.set()
    assert [outcome(each) for each in [*first, *rest]]


@pipeline
def dropped() -> None:
    outcome(add(1))


# A run without Ray.


@contextmanager
def no_hang() -> Iterator[None]:
    """Break off what hangs, and fail whatever the run makes of that: it may end as if nothing were."""
    rang: list[str] = []

    def ring(*_: object) -> None:
        rang.append(f"the run hangs: it has not ended in {LONGEST} s")
        raise AssertionError(*rang)

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        if rang:
            raise AssertionError(*rang)


def sealed_run(
    folder: Path,
    what: Pipeline[..., Any],
    progress: Progress | None = None,
    context: AbstractContextManager[None] | None = None,
    cancellation: Cancellation | None = None,
) -> Run:
    """Run in this process, seal, and read the record."""
    gate.clear()
    HELD_BACK.clear()
    prepared = prepare(what, {}, root=str(folder / "root"))
    with no_hang():
        execute(prepared, progress or NoProgress(), context or nullcontext(), cancellation=cancellation)
    gate.set()
    seal_spool(Path(prepared.settings.spool))
    return open_run(prepared.settings.record_uri)


def no_executor_is_left() -> None:
    for thread in threading.enumerate():
        if thread.name == "vaportrail-executor":  # a busy machine's, which was passed by
            thread.join(LONGEST)
            assert not thread.is_alive()


def told(run: Run) -> str:
    """Return everything that the record says of why things ended."""
    attempts = [attempt for task in run.tasks for attempt in task.attempts]
    lines = [line.text for line in run.logs()]
    return "\n".join(
        [
            run.facts.verdict.message,
            *(f"{a.outcome.value}: {f.message}\n{f.type}: {f.message}" for a in attempts if (f := a.failure)),
            *lines,
        ]
    )


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> InThreads:
    """The backend of the runs of a test, which are quick to give up."""
    backend = InThreads()
    monkeypatch.setattr(run_module, "RayBackend", lambda settings, *, complete: backend)
    monkeypatch.setattr(stopping_module, "CANCEL_GRACE_SECONDS", 0.05)
    monkeypatch.setattr(stopping_module, "FORCED_GRACE_SECONDS", 0.05)
    return backend


class FakeRay:
    """Ray as far as `RayBackend` knows it; a task's future gets what `answers` says.

    Args:
        answer: sets the future of a task's report.
    """

    exceptions, cloudpickle = ray.exceptions, ray.cloudpickle

    def __init__(self, answer: Callable[[Future[Any]], None]) -> None:
        self._answer = answer

    def remote(self, *args: Any, **options: Any) -> Any:
        if not args:
            return lambda fn: self
        future: Future[Any] = Future()
        threading.Thread(target=self._answer, args=(future,)).start()
        return Reference(future), None

    def options(self, **chosen: Any) -> FakeRay:
        return self

    def is_initialized(self) -> bool:
        return True

    def wait(
        self, references: list[Reference], *, num_returns: int, timeout: float, fetch_local: bool
    ) -> tuple[list[Reference], list[Reference]]:
        ready = [each for each in references if each.ended.done()][:num_returns]
        if not ready:
            threading.Event().wait(timeout)
        return ready, [each for each in references if each not in ready]

    def get(self, asked: list[Reference] | Reference) -> Any:
        return [each.ended.result() for each in asked] if isinstance(asked, list) else asked.ended.result()

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 8.0}

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": 8.0}},
            {"Alive": True, "Resources": {"GPU": 4.0}},
            {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 64.0}},
        ]

    def cancel(self, *args: Any, **named: Any) -> None:
        raise AssertionError("nothing is cancelled here")


class Reference:
    def __init__(self, ended: Future[Any]) -> None:
        self.ended = ended


class Exits:
    """Ends the process that loads it."""

    def __reduce__(self) -> Any:
        return sys.exit, (3,)


class Sleeps:
    """Holds up whoever loads it."""

    def __reduce__(self) -> Any:
        return time.sleep, (2 * LONGEST,)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError(FAULT)


# How each edge is broken, and how the run must end then.


@dataclass(frozen=True)
class Broken:
    """An edge that raises: what is broken, the run that meets it, and the end it must have."""

    breaks: Callable[[pytest.MonkeyPatch, InThreads], Any]
    runs: Pipeline[..., Any] = plain
    ends: Outcome = Outcome.FAILED
    says: str = FAULT


def raising(*_: Any, **__: Any) -> Any:
    raise RuntimeError(FAULT)


def breaks_backend(method: str) -> Callable[[pytest.MonkeyPatch, InThreads], None]:
    return lambda patch, backend: patch.setattr(backend, method, raising)


def breaks_widening(patch: pytest.MonkeyPatch, _: InThreads) -> None:
    patch.setattr(scheduler_module, "_WIDEN_SECONDS", 0.0)
    patch.setattr(Scheduler, "_widen_again", raising)


def breaks_narrator(method: str) -> Callable[[pytest.MonkeyPatch, InThreads], None]:
    return lambda patch, _: patch.setattr(TaskRecorder, method, raising)


def breaks_progress(method: str) -> Callable[[pytest.MonkeyPatch, InThreads], None]:
    return lambda patch, _: patch.setattr(NoProgress, method, raising)


def hinders(patch: pytest.MonkeyPatch, backend: InThreads) -> None:
    """A task waits for what there is not, until that is said."""
    patch.setattr(hindrance_module, "WAIT_SECONDS", 0.01)
    backend.hinders = "it asks for a moon"
    said = TaskRecorder.waits

    def waits(task_recorder: TaskRecorder, call: Any, why: str) -> None:
        said(task_recorder, call, why)
        gate.set()

    patch.setattr(TaskRecorder, "waits", waits)


def breaks_waits(patch: pytest.MonkeyPatch, backend: InThreads) -> None:
    hinders(patch, backend)
    patch.setattr(TaskRecorder, "waits", raising)


def loses_attempts(patch: pytest.MonkeyPatch, backend: InThreads) -> None:
    """No attempt hears that it is to stop, and a stop does not raise either."""
    patch.setattr(backend, "stop", lambda running, *, force: None)


def breaks_force(patch: pytest.MonkeyPatch, backend: InThreads) -> None:
    def stop(running: object, *, force: bool) -> None:
        if force:
            raise RuntimeError(FAULT)

    patch.setattr(backend, "stop", stop)


def breaks_close(patch: pytest.MonkeyPatch, backend: InThreads) -> None:
    """The last close of the spool fails, once everything is written."""
    close = Writer.close

    def fails_after(writer: Writer) -> None:
        close(writer)
        raise OSError(errno.EIO, FAULT)

    patch.setattr(Writer, "close", fails_after)


UNSPOKEN = (breaks_backend("start"), breaks_narrator("resolved"))
BROKEN: dict[str, Broken] = {
    "Backend.start": Broken(breaks_backend("start")),
    "Backend.stop": Broken(breaks_backend("stop"), cancelled),
    "Backend.fetch": Broken(breaks_backend("fetch")),
    "Backend.close": Broken(breaks_backend("close"), ends=Outcome.SUCCEEDED),
    "Backend.cpus": Broken(breaks_backend("cpus"), crowded, Outcome.SUCCEEDED, says=""),
    "Backend.hand_over": Broken(breaks_backend("hand_over")),
    "Backend.hindrance": Broken(breaks_backend("hindrance"), ends=Outcome.SUCCEEDED, says=""),
    "Narrator.waits": Broken(breaks_waits, blocked),
    "execution/hindrance.py look_for_hindrance later": Broken(
        hinders, blocked, Outcome.SUCCEEDED, says="waits-1 waits: it asks for a moon; it begins when"
    ),
    "Progress.stage": Broken(breaks_progress("stage"), ends=Outcome.SUCCEEDED),
    "Progress.task_submitted": Broken(breaks_progress("task_submitted"), ends=Outcome.SUCCEEDED),
    "Progress.attempt_started": Broken(breaks_progress("attempt_started"), ends=Outcome.SUCCEEDED),
    "Progress.attempt_retried": Broken(breaks_progress("attempt_retried"), retried),
    "Progress.task_ended": Broken(breaks_progress("task_ended"), ends=Outcome.SUCCEEDED),
    "Narrator.submitted": Broken(breaks_narrator("submitted")),
    "Narrator.resolved": Broken(lambda patch, threads: [each(patch, threads) for each in UNSPOKEN]),
    "Narrator.ended": Broken(breaks_narrator("ended")),
    "execution/loop.py Loop._begin Thread": Broken(
        lambda patch, _: patch.setattr(Graph, "attempt_ended", raising)
    ),
    "execution/scheduler.py Scheduler._start later": Broken(
        lambda patch, _: patch.setattr(Graph, "due", raising), retried
    ),
    "execution/scheduler.py Scheduler._widened later": Broken(breaks_widening, crowded),
    "execution/executor.py Executor.submit ref": Broken(
        lambda patch, _: patch.setattr(TaskCall, "let_go", raising), dropped
    ),
    "execution/stopping.py Stopping.begin later": Broken(breaks_force, cancelled),
    "execution/stopping.py Stopping._force later": Broken(
        loses_attempts, cancelled, says="gave no sign of its end"
    ),
}

WAITED = threading.Event()
"""Lets go what blocks."""


def blocking(*_: Any, **__: Any) -> None:
    WAITED.wait(2 * LONGEST)


@pytest.mark.parametrize("method", [name for name in vars(Progress) if name[0] != "_"])
def test_a_progress_that_blocks_holds_up_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, method: str
) -> None:
    monkeypatch.setattr(progress_module, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(NoProgress, method, blocking)
    WAITED.clear()
    try:
        run = sealed_run(tmp_path, retried if method == "attempt_retried" else plain)
    finally:
        WAITED.set()

    assert run.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
    assert "progress is not shown whole: " in told(run)


def test_a_progress_that_is_slower_than_the_run_is_told_no_more_than_it_can_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress_module, "QUEUED", 3)
    monkeypatch.setattr(progress_module, "CLOSE_SECONDS", 0.05)
    said: list[str] = []
    begun, stopped = threading.Event(), threading.Event()

    class Stopped(NoProgress):
        def stage(self, name: str) -> None:
            begun.set()
            stopped.wait(LONGEST)

    with Aside(Stopped(), said.append) as aside:
        aside.stage("the first")
        assert begun.wait(LONGEST)
        for _ in range(5):
            aside.stage("one of five")
    stopped.set()

    assert len(said) == 1
    assert "5 events were left out" in said[0]


@pytest.mark.parametrize("method", ["start", "hand_over", "stop", "hindrance"])
def test_a_backend_that_blocks_does_not_keep_a_cancelled_run_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, method: str
) -> None:
    monkeypatch.setattr(executor_module, "HELD_UP_SECONDS", 0.5)
    cancellation = Cancellation()

    def blocks(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        blocking()

    monkeypatch.setattr(threads, method, blocks)
    before = signal.signal(signal.SIGUSR2, lambda *_: cancellation.request())
    WAITED.clear()
    try:
        run = sealed_run(tmp_path, cancelled, cancellation=cancellation)
    finally:
        WAITED.set()
        signal.signal(signal.SIGUSR2, before)

    assert run.outcome is Outcome.CANCELLED
    assert [task.outcome for task in run.tasks] == [Outcome.CANCELLED]
    assert run.facts.counts.loss == "None"


def test_a_second_interrupt_ends_what_is_open_as_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads
) -> None:
    monkeypatch.setattr(stopping_module, "CANCEL_GRACE_SECONDS", LONGEST)

    def interrupts(running: Any, *, force: bool) -> None:
        """No attempt hears that it is to stop, and its user is impatient."""
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    @pipeline
    def interrupted() -> None:
        waits()
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(LONGEST)

    monkeypatch.setattr(threads, "stop", interrupts)
    run = sealed_run(tmp_path, interrupted)

    assert run.outcome is Outcome.CANCELLED
    assert run.facts.verdict.message.startswith("cancelled")
    assert {task.outcome for task in run.tasks} == {Outcome.CANCELLED}
    no_executor_is_left()


def failed_with(error: bytes) -> bytes:
    """Return the report of an attempt whose exception travels as these bytes."""
    return pack_report(AttemptReport(Outcome.FAILED, Failure("x.Y", FAULT), error, recorded=False), None, 0.0)


FUTURES: dict[str, tuple[Callable[[Future[Any]], None], Pipeline[..., Any], str]] = {
    "an exception that cannot be loaded here": (
        lambda future: future.set_result(failed_with(b"no pickle")),
        bounded,
        f"x.Y: {FAULT}",
    ),
    "an exception that ends whoever loads it": (
        lambda future: future.set_result(failed_with(pickle.dumps(Exits()))),
        bounded,
        f"x.Y: {FAULT}",
    ),
    "an exception that holds up whoever loads it": (
        lambda future: future.set_result(failed_with(pickle.dumps(Sleeps()))),
        bounded,
        f"x.Y: {FAULT}",
    ),
    "the end of this machine's Ray": (
        lambda future: future.set_exception(ray.exceptions.LocalRayletDiedError()),
        bounded,
        "NODE_LOST: Ray's raylet on this machine has ended",
    ),
    "a report that is none": (lambda future: future.set_result(object()), bounded, "a fault of Vaportrail"),
    "an error that cannot be told": (
        lambda future: future.set_exception(Unspeakable()),
        bounded,
        FAULT,
    ),
    "a crash whose stacks cannot be read": (
        lambda future: future.set_exception(ray.exceptions.WorkerCrashedError()),
        bounded,
        "ended without a word",
    ),
    "a future that was cancelled": (lambda future: future.cancel() and None, bounded, "CancelledError"),
}
"""What Ray's thread hands to `RayBackend`: how its callback and the thread that looks for a limit end."""

RAY_BACKEND = {
    "execution/ray_reports.py Reports._add Thread",
    "execution/ray_backend.py RayBackend._landed Thread",
}

ELSEWHERE: dict[str, str] = {
    # Edges with a test of their own.
    "execution/observers.py Aside.__init__ Thread": ("test_a_progress_that_blocks_holds_up_no_run"),
    "execution/run.py _recorded callback": ("test_a_spool_that_cannot_be_closed_is_said_by_its_own_name"),
    "cluster/join.py Join.start Thread": ("test_what_raises_while_a_cluster_is_joined_is_what_is_told"),
    "execution/ray_watch.py watched_ray Thread": (
        "test_a_run_whose_ray_is_gone_ends_wherever_it_is_and_its_record_names_the_process"
    ),
    "cli/run_command.py _seal_and_report signal": ("test_a_seal_that_is_interrupted_says_how_to_go_on"),
    "execution/run_cancellation.py Cancellation._later Timer": (
        "test_a_signal_ends_a_run_in_every_state_and_its_record_says_so"
    ),
    "execution/run_cancellation.py Cancellation.request signal": (
        "test_a_signal_ends_a_run_in_every_state_and_its_record_says_so"
    ),
    "execution/run_cancellation.py _put_back signal": (
        "test_the_signals_handler_is_as_before_the_block_also_where_one_is_on_its_way"
    ),
    "execution/run_cancellation.py Cancellation._raised_again signal": (
        "test_a_cancellation_while_an_object_is_destroyed_ends_the_block_all_the_same"
    ),
    "cli/signals.py cancelling signal": ("test_a_cancelled_run_cleans_up_seals_and_says_so"),
    "execution/ending_signals.py ends_on_signals signal": (
        "test_a_signal_cancels_and_seals_the_run_and_then_ends_the_script"
    ),
    "execution/ending_signals.py _end signal": (
        "test_a_signal_cancels_and_seals_the_run_and_then_ends_the_script"
    ),
    # They only put back, or set aside, what others had set.
    "execution/forked.py _begin_anew signal": (
        "test_a_child_ends_at_a_signal_that_its_parent_takes_as_a_worker"
    ),
    "execution/ray_session.py _set_again signal": (
        "test_a_run_that_is_cancelled_before_ray_is_up_is_sealed_all_the_same"
    ),
    "execution/process_state.py _set_handlers signal": (
        "test_a_run_in_the_background_goes_on_at_what_it_was_told_to_ignore"
    ),
    # Those of a worker: what raises there is in the attempt's report, or ends its process.
    "execution/attempt.py _prepare signal": ("test_the_exit_code_of_a_program_that_a_task_starts_is_its_own"),
    "execution/attempt_cancellation.py cancellable.__enter__ signal": (
        "test_a_sleeping_attempt_is_woken_once_and_may_clean_up"
    ),
    "execution/attempt_cancellation.py cancellable.__exit__ signal": (
        "test_afterwards_the_handler_is_the_one_from_before"
    ),
    "execution/attempt_cancellation.py watch signal": (
        "test_a_signal_that_comes_after_its_attempt_harms_neither_the_process_nor_the_next"
    ),
    "execution/attempt_cancellation.py watch Thread": (
        "test_a_sleeping_attempt_is_woken_once_and_may_clean_up"
    ),
    "execution/deadline.py _limited signal": ("test_afterwards_handler_timer_and_files_are_as_they_were"),
    "telemetry/output_files.py OutputFiles.__init__ Thread": (
        "test_a_disk_that_is_full_is_told_and_breaks_nothing"
    ),
    "telemetry/log_files.py _unrecorded_folder register": (
        "test_outside_a_run_an_artifact_can_be_read_all_the_same"
    ),
    "notebooks/kernel.py load_ipython_extension register": (
        "test_a_failing_cell_is_told_with_the_cells_own_traceback"
    ),
    # Other programs' than the driver.
    "cli/watch_command.py command signal": ("test_a_signal_is_heard_while_the_record_root_does_not_answer"),
    "cli/runner_command.py command signal": ("test_sigterm_while_the_cluster_is_joined_cancels_the_run"),
    "cluster/cluster_run.py _time_limit signal": ("test_a_run_whose_time_is_over_is_ended"),
    "cluster/readiness.py listening Thread": ("test_it_takes_connections_for_the_length_of_the_block"),
}

CALLS = {"add_done_callback", "Thread", "Timer", "signal", "later", "callback", "register"}


class Edges(ast.NodeVisitor):
    """Collects the calls in a module that let something be called later, from nowhere."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._within: list[str] = []
        self.found: set[str] = set()

    def visit_within(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_within

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        called_back = name in CALLS or (name == "ref" and len(node.args) > 1)
        if called_back and self._within:
            self.found.add(f"{self._file} {'.'.join(self._within)} {name}")
        self.generic_visit(node)


def edges() -> set[str]:
    """Return every edge that the source has."""
    found = {
        f"{proto.__name__}.{name}" for proto in (Backend, Progress) for name in vars(proto) if name[0] != "_"
    }
    found |= {f"Narrator.{name}" for name in vars(TaskRecorder) if name[0] != "_"}
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            seen = Edges(str(path.relative_to(SOURCE)))
            seen.visit(ast.parse(path.read_text()))
            found |= seen.found
    return found


def test_every_edge_of_the_source_has_a_row_here_and_every_row_an_edge() -> None:
    assert edges() == {*BROKEN, *RAY_BACKEND, *ELSEWHERE}
    ends = [f"{name}: {each.ends.value}" for name, each in BROKEN.items()]
    print(f"{len(edges())} edges, {len(ends) + len(FUTURES)} of them broken here\n" + "\n".join(ends))


def test_a_run_that_hangs_fails_its_test_whatever_the_run_catches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "LONGEST", 1)
    hangs = pytest.raises(AssertionError, match="it has not ended in 1 s")
    with hangs, no_hang(), suppress(BaseException):
        threading.Event().wait(30)


ALL_TESTS = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_what_is_tested_elsewhere_is_there(test: str) -> None:
    assert f"\ndef {test}(" in ALL_TESTS


@pytest.mark.parametrize("edge", BROKEN)
def test_what_raises_at_an_edge_ends_as_a_sealed_run_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, edge: str
) -> None:
    case = BROKEN[edge]
    case.breaks(monkeypatch, threads)
    run = sealed_run(tmp_path, case.runs)

    assert run.sealed
    assert run.outcome is case.ends, told(run)
    assert case.says in told(run)
    assert not [blame for blame in BLAMES if blame in told(run)]
    assert Outcome.RUNNER_LOST not in {task.outcome for task in run.tasks}


@pytest.mark.parametrize("what", FUTURES)
def test_what_ray_hands_over_ends_the_attempt_once_whatever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    answer, runs, says = FUTURES[what]
    monkeypatch.setitem(sys.modules, "ray", FakeRay(answer))
    run = sealed_run(tmp_path, runs)

    assert run.outcome is Outcome.FAILED
    assert says in told(run)
    assert not [blame for blame in BLAMES if blame in told(run)]


def test_a_thread_that_cannot_be_started_ends_the_attempt_that_it_was_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = FUTURES["a crash whose stacks cannot be read"][0]
    monkeypatch.setitem(sys.modules, "ray", FakeRay(answer))
    monkeypatch.setattr("vaportrail.execution.ray_backend.RayBackend._look_for_limit", property(raising))
    run = sealed_run(tmp_path, bounded)

    assert FAULT in told(run)


@pytest.mark.parametrize("raises", [OSError(errno.ENODEV, "gone"), SystemExit(3), RuntimeError("gone")])
def test_what_stopping_ray_raises_does_not_change_how_the_run_went(
    tmp_path: Path, threads: InThreads, raises: BaseException
) -> None:
    @contextmanager
    def ends_badly() -> Iterator[None]:
        yield
        raise raises

    run = sealed_run(tmp_path, plain, context=ends_badly())

    assert run.outcome is Outcome.SUCCEEDED
    assert "while Ray was stopping: " in told(run)


class OwnEnd(BaseException):
    """What a body may raise that is no `Exception`."""


def test_whatever_a_body_raises_ends_the_run_as_its_body(tmp_path: Path, threads: InThreads) -> None:
    @pipeline
    def raises() -> None:
        raise OwnEnd(FAULT)

    run = sealed_run(tmp_path, raises)

    assert run.outcome is Outcome.FAILED
    assert run.facts.verdict.message.endswith(f"OwnEnd: {FAULT}")


@pytest.mark.parametrize("record", range(1, 8))
def test_a_disk_that_is_full_from_some_record_on_ends_the_run_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, record: int
) -> None:
    write, written = Writer._write, 0

    def fill(writer: Writer, lines: bytes) -> int:
        nonlocal written
        written += lines.count(b"\n")
        # What the run has in reserve is the only room there is.
        if written > record and (writer.directory / "verdict.reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(writer, lines)

    monkeypatch.setattr(Writer, "_write", fill)
    run = sealed_run(tmp_path, plain)

    assert run.outcome is Outcome.FAILED
    assert "cannot be written: No space left on device" in run.facts.verdict.message
    assert not [blame for blame in BLAMES if blame in run.facts.verdict.message]


def test_a_spool_that_cannot_be_closed_is_said_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads
) -> None:
    breaks_close(monkeypatch, threads)
    with pytest.raises(SpoolError, match=f"cannot be written: {FAULT}"):
        sealed_run(tmp_path, plain)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (TaskOptions(cpus=8), ""),
        (TaskOptions(cpus=0, gpus=4), ""),
        (TaskOptions(cpus=9), "it asks for 9 of CPU, and none of the 2 nodes of this cluster has so much"),
        (TaskOptions(cpus=1, gpus=1), "it asks for 1 of CPU, 1 of GPU, and none of the 2 nodes"),
        (TaskOptions(resources={"moon": 1}), "it asks for 1 of CPU, 1 of moon, and none of"),
    ],
)
def test_a_cluster_that_may_grow_says_what_none_of_its_nodes_can_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: TaskOptions, says: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay(lambda future: None))
    settings = prepare(plain, {}, root=str(tmp_path)).settings
    said = RayBackend(settings, complete=False).hindrance(options)

    assert said.startswith(says)
    assert bool(said) == bool(says)


def kept_run(folder: Path) -> tuple[Prepared, Verdict]:
    """Run in this process, and do not seal."""
    prepared = prepare(plain, {}, root=str(folder / "root"))
    return prepared, execute(prepared, NoProgress(), nullcontext())


def test_a_seal_that_is_interrupted_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    prepared, verdict = kept_run(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("vaportrail.record.seal.local_seal.seal_spool", interrupted)
        code = _seal_and_report(prepared, verdict, keep_spool=False, as_json=False)

    said = capsys.readouterr().err
    assert code == 130
    assert "(SUCCEEDED: 2 of 2 tasks succeeded), but its record is not sealed" in said
    assert f"vaportrail seal {prepared.settings.identity.uid[:8]} --record {tmp_path}/root" in said


def test_a_seal_for_which_there_is_no_room_says_how_the_run_went_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    prepared, verdict = kept_run(tmp_path)
    monkeypatch.setattr("vaportrail.record.seal.local_seal.seal_spool", full)
    with pytest.raises(RecordError) as caught:
        _seal_and_report(prepared, verdict, keep_spool=False, as_json=False)

    assert "2 of 2 tasks succeeded" in str(caught.value)
    assert "No space left on device" in str(caught.value)
    assert "make room, then: vaportrail seal" in str(caught.value)


def test_a_record_that_stands_is_told_as_sealed_though_its_spool_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a child process of the body makes it, which begins a file at that moment."""
    prepared, verdict = kept_run(tmp_path)
    rmdir = os.rmdir

    def begins_a_file(path: Any, **where: Any) -> None:
        if path in (prepared.settings.spool, Path(prepared.settings.spool)):
            Path(prepared.settings.spool, "child-1.spool").touch()
        rmdir(path, **where)

    monkeypatch.setattr(os, "rmdir", begins_a_file)
    code = _seal_and_report(prepared, verdict, keep_spool=False, as_json=False)

    said = capsys.readouterr()
    assert code == 0
    assert f"record      {prepared.settings.record_uri}\nsha256" in said.out
    assert "the record is sealed, but not all is cleared up after it" in said.err
    assert f"{prepared.settings.spool} may go" in said.err


def test_output_that_nobody_takes_does_not_change_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: InThreads
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    prepared, verdict = kept_run(tmp_path)
    monkeypatch.setattr(sys, "stdout", Gone())

    assert _seal_and_report(prepared, verdict, keep_spool=False, as_json=False) == 0


def test_what_raises_while_a_cluster_is_joined_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Join, "_spawn", lambda self: None)
    monkeypatch.setattr(Join, "responds", lambda self: True)
    monkeypatch.setattr(Join, "_start_node", raising)
    join = Join(socket.gethostname(), 6379, LONGEST, tmp_path)
    join.start()
    with pytest.raises(JoinFailed, match=FAULT):
        join.wait()


def test_a_records_folder_that_cannot_be_made_is_said_by_its_name(tmp_path: Path) -> None:
    settings = prepare(plain, {}, root=str(tmp_path / "root")).settings
    (tmp_path / "root" / "runs").write_text("no folder")

    with pytest.raises(RecordError, match=f"folder {settings.record_uri} cannot be made: "):
        keep_to_oneself(settings)


# What the body returns.


@task
def gives(value: int) -> list[int]:
    return [value]


@pipeline
def returning() -> dict[str, Any]:
    return {"lists": [gives(1), gives(2)], "plain": 3}


def asynchronous() -> Callable[[], Any]:
    async def body() -> None: ...

    return functools.wraps(body)(lambda: body())


class Added:
    """A pipeline's function that is an object."""

    def __call__(self, n: int = 1) -> int:
        return n + 1


@pytest.mark.parametrize(
    ("what", "value"),
    [
        (returning, {"lists": [[1], [2]], "plain": 3}),
        (pipeline(functools.partial(Added(), 4), name="partial"), 5),
        (pipeline(Added()), 2),
        (plain, None),
    ],
    ids=["handles", "partial", "object", "nothing"],
)
def test_a_run_has_what_its_body_returned(
    tmp_path: Path, threads: InThreads, what: Pipeline[..., Any], value: Any
) -> None:
    prepared = prepare(what, {}, root=str(tmp_path / "root"))
    with no_hang():
        verdict = execute(prepared, NoProgress(), nullcontext())
    assert (verdict.outcome, prepared.returned.missing) == (Outcome.SUCCEEDED, "")
    assert prepared.returned.value == value


def test_a_result_that_cannot_be_had_decides_nothing(tmp_path: Path, threads: InThreads) -> None:
    @pipeline
    def hides() -> Any:
        return {gives(1): "a"}

    prepared = prepare(hides, {}, root=str(tmp_path / "root"))
    with no_hang():
        assert execute(prepared, NoProgress(), nullcontext()).outcome is Outcome.SUCCEEDED
    assert "does not look at the keys of a dict" in prepared.returned.missing


def test_a_body_behind_a_wrapper_of_which_nothing_ran_fails_the_run(
    tmp_path: Path, threads: InThreads
) -> None:
    prepared = prepare(Pipeline(asynchronous(), "later"), {}, root=str(tmp_path / "root"))
    with no_hang():
        verdict = execute(prepared, NoProgress(), nullcontext())
    assert verdict.outcome is Outcome.FAILED
    assert "returned a coroutine, of which nothing has run" in verdict.message
