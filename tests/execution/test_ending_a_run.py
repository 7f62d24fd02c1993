"""Ctrl-C ends a run from every state, once, within its grace, whatever the pipeline's body catches."""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

from thread_backend import InThreads
from vaportrail import as_completed, outcome, result, task
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.cli.signals import cancelling
from vaportrail.contract.outcome import Outcome
from vaportrail.execution import run as run_module
from vaportrail.execution import run_cancellation
from vaportrail.execution.observers import NoProgress
from vaportrail.execution.prepare import prepare
from vaportrail.execution.run import execute
from vaportrail.record.reading.read import Run, open_run
from vaportrail.record.seal.local_seal import seal_spool

# What ends a body that swallows everything is raised while objects are destroyed, too, and is seen there.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def nothing_is_left_to_be_destroyed() -> Iterator[None]:
    """Let no later test be blamed for what one of these has left behind."""
    yield
    gc.collect()


PATIENCE = 20
gate = threading.Event()
here = threading.Event()
"""That the state is reached in which the signal is to come."""


@task
def stuck(*needs: Any) -> None:
    here.set()
    gate.wait(PATIENCE)


@task(retries=1, backoff="1h")
def backs_off() -> None:
    raise ConnectionError("no")


class Starting(NoProgress):
    """Says that the state is reached when a task waits for its next attempt."""

    def attempt_retried(self, *_: object) -> None:
        here.set()


def waits_for_a_value() -> None:
    result(stuck())


def waits_for_a_queued_task() -> None:
    result(stuck(stuck()))


def waits_for_the_next() -> None:
    list(as_completed([stuck()]))


def sleeps() -> None:
    stuck()
    time.sleep(PATIENCE)


def waits_for_another_attempt() -> None:
    outcome(backs_off())


def drains() -> None:
    stuck()


def cleans_up_by_tasks() -> None:
    try:
        result(stuck())
    finally:
        outcome(stuck())


def swallows() -> None:
    while True:
        try:
            here.set()
            time.sleep(PATIENCE)
        except BaseException:
            pass


def swallows_twice() -> None:
    while True:
        try:
            try:
                here.set()
                time.sleep(PATIENCE)
            except BaseException:
                pass
        except BaseException:
            continue


def swallows_in_one_line() -> None:
    while True:
        with suppress(BaseException):
            here.set(), time.sleep(PATIENCE)


def swallows_at_every_level() -> None:
    for _ in range(3):
        try:
            swallows_twice()
        except BaseException as error:
            print("no, not by", error)
    swallows()


def swallows_while_it_waits_for_a_task() -> None:
    stop = False
    while not stop:
        try:
            outcome(stuck())
            time.sleep(0.01)
        except BaseException:
            pass


def swallows_finally() -> None:
    while True:
        try:
            here.set()
            queue.Queue[int]().get()
        finally:
            continue  # noqa: B012


def keeps_what_it_swallows() -> None:
    kept = []
    while True:
        try:
            here.set()
            time.sleep(PATIENCE)
        except BaseException as error:
            kept.append(error)


def returns_as_if_nothing_were() -> None:
    with suppress(BaseException):
        here.set()
        time.sleep(PATIENCE)


def raises_something_else() -> None:
    try:
        here.set()
        time.sleep(PATIENCE)
    except BaseException:
        raise ValueError("what the body makes of it") from None


def exits_in_peace() -> None:
    with suppress(BaseException):
        here.set()
        time.sleep(PATIENCE)
    sys.exit(0)


BODIES: list[Callable[[], None]] = [
    waits_for_a_value,
    waits_for_a_queued_task,
    waits_for_the_next,
    sleeps,
    waits_for_another_attempt,
    drains,
    cleans_up_by_tasks,
    swallows,
    swallows_twice,
    swallows_in_one_line,
    swallows_at_every_level,
    swallows_while_it_waits_for_a_task,
    swallows_finally,
    keeps_what_it_swallows,
    returns_as_if_nothing_were,
    raises_something_else,
    exits_in_peace,
]


@contextmanager
def no_hang() -> Iterator[None]:
    """End the test's process's wait by an alarm that nothing in it catches for ever."""
    timer = threading.Timer(PATIENCE, os._exit, (99,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def interrupt(number: int = signal.SIGINT) -> None:
    """Send the signal once the state is reached."""

    def send() -> None:
        if here.wait(PATIENCE):
            time.sleep(0.05)
            os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


def interrupted_run(
    folder: Path, what: Pipeline[..., Any], ray: AbstractContextManager[None] | None = None
) -> Run:
    prepared = prepare(what, {}, root=str(folder / "root"))
    here.clear()
    gate.clear()
    traced = sys.gettrace()
    with no_hang(), cancelling() as cancellation:
        interrupt()
        execute(prepared, Starting(), ray or nullcontext(), cancellation=cancellation)
    gate.set()
    assert sys.gettrace() is traced
    seal_spool(Path(prepared.settings.spool))
    return open_run(prepared.settings.record_uri)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> InThreads:
    backend = InThreads()
    monkeypatch.setattr(run_module, "RayBackend", lambda settings, *, complete: backend)
    monkeypatch.setattr(run_cancellation, "BODY_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(run_cancellation, "INSIST_SECONDS", 0.1)
    return backend


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_a_signal_ends_a_run_in_every_state_and_its_record_says_so(
    tmp_path: Path, threads: InThreads, body: Callable[[], None]
) -> None:
    run = interrupted_run(tmp_path, Pipeline(body))

    assert run.sealed
    assert run.outcome is Outcome.CANCELLED
    assert run.facts.verdict.message.startswith("cancelled")
    assert {each.outcome for each in run.tasks} <= {Outcome.CANCELLED}


@pytest.mark.parametrize("raises", [SystemExit(15), RuntimeError("Ray broke off"), None], ids=repr)
def test_a_signal_while_ray_starts_is_a_cancellation_whatever_ray_makes_of_it(
    tmp_path: Path, threads: InThreads, raises: BaseException | None
) -> None:
    @contextmanager
    def starting() -> Iterator[None]:
        here.set()
        try:
            time.sleep(PATIENCE)
        except BaseException:
            if raises is not None:
                raise raises from None
            raise
        yield

    run = interrupted_run(tmp_path, Pipeline(swallows), starting())

    assert run.outcome is Outcome.CANCELLED
    assert run.facts.verdict.message == "cancelled while Ray was starting"


def test_a_body_has_its_time_to_clean_up(tmp_path: Path, threads: InThreads) -> None:
    cleaned = []

    def cleans_up() -> None:
        try:
            here.set()
            time.sleep(PATIENCE)
        finally:
            cleaned.append(1)
            cleaned.append(2)

    interrupted_run(tmp_path, Pipeline(cleans_up))
    assert cleaned == [1, 2]
