"""Processes of a run's code that outlive it make its loss unknown: what they say later is not recorded."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest

from thread_backend import InThreads
from vaportrail import pipeline
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunSettings
from vaportrail.execution import left_children as left_children_module
from vaportrail.execution import run as run_module
from vaportrail.execution.left_children import LEFT_CHILDREN
from vaportrail.execution.observers import NoProgress
from vaportrail.execution.prepare import prepare
from vaportrail.execution.run import execute
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.children import no_child

WAITS = "import sys; print('here', flush=True); sys.stdin.read()"
started: list[Any] = []


def python(code: str = WAITS, **options: Any) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pipeline
def leaves_a_python() -> None:
    started.append(python())


@pipeline
def leaves_a_python_of_a_session_of_its_own() -> None:
    started.append(python(start_new_session=True))


@pipeline
def leaves_a_fork() -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=there.recv, daemon=True)
    child.start()
    there.close()
    started.append((child, here))


@pipeline
def leaves_a_grandchild() -> None:
    """As a daemon begins: its parent is none of the run's processes any more."""
    reads, writes = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.close(writes)
            os.read(reads, 1)
        os._exit(0)
    os.close(reads)
    os.wait()
    started.append(writes)


@pipeline
def uses_shared_memory_and_a_pool() -> None:
    memory = SharedMemory(create=True, size=100)
    memory.close()
    memory.unlink()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(abs, (-1,)) == 1
        pool.close()
        pool.join()


@pipeline
def leaves_nobody() -> None:
    child = python()
    child.communicate()


@pipeline
def leaves_what_says_nothing() -> None:
    started.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))


@pipeline
def leaves_somebody_elses() -> None:
    with no_child():
        started.append(python())


@pipeline
def is_read_along() -> None:
    recorder = active()
    assert recorder is not None
    (spool,) = Path(recorder.settings.spool).glob("*.spool")
    reads = f"file = open({str(spool)!r}); {WAITS}"
    with no_child():
        started.append(python(code=reads))


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(run_module, "RayBackend", lambda *_args, **_kwargs: InThreads())
    yield
    while started:
        match started.pop():
            case int(writes):
                os.close(writes)
            case (child, here):
                here.send("go")
                child.join()
                child.close()
                here.close()
            case child:
                child.communicate()


@contextmanager
def another_that_was_there_before() -> Iterator[None]:
    with no_child():
        child = python()
    yield
    child.communicate()


def not_captured(folder: Path, of: Any) -> list[str]:
    prepared = prepare(of, {}, root=str(folder))
    execute(prepared, NoProgress(), nullcontext())
    seal_spool(Path(prepared.settings.spool))
    run = open_run(prepared.settings.record_uri)
    assert run.outcome is Outcome.SUCCEEDED, run.facts.verdict.message
    reasons = run.facts.counts.loss_reasons
    return [reason for reason in reasons if reason.startswith(LEFT_CHILDREN)]


@pytest.mark.parametrize(
    "of",
    [leaves_a_python, leaves_a_python_of_a_session_of_its_own, leaves_a_fork, leaves_a_grandchild],
    ids=lambda of: of.name,
)
def test_a_child_that_outlives_its_run_is_counted(tmp_path: Path, of: Any) -> None:
    assert not_captured(tmp_path, of) == [LEFT_CHILDREN]


@pytest.mark.parametrize(
    "of",
    [
        leaves_nobody,
        leaves_what_says_nothing,
        leaves_somebody_elses,
        is_read_along,
        uses_shared_memory_and_a_pool,
    ],
    ids=lambda of: of.name,
)
def test_what_has_ended_or_is_not_the_runs_is_not(tmp_path: Path, of: Callable[[], None]) -> None:
    with another_that_was_there_before():
        assert not_captured(tmp_path, of) == []


def test_an_interrupt_while_they_are_waited_for_does_not_change_how_the_run_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_settings: RunSettings, *, own_ray: bool) -> frozenset[int]:
        raise KeyboardInterrupt

    monkeypatch.setattr(left_children_module, "left_children", interrupted)
    prepared = prepare(leaves_nobody, {}, root=str(tmp_path))
    execute(prepared, NoProgress(), nullcontext())
    seal_spool(Path(prepared.settings.spool))

    assert open_run(prepared.settings.record_uri).outcome is Outcome.SUCCEEDED
