"""What nobody can ask for any more is let go: arguments, functions and values."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thread_backend import InThreads
from vaportrail import as_completed, outcome, pipeline, result, task
from vaportrail.authoring import session
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution.executor import Executor
from vaportrail.execution.local import embedded_ray
from vaportrail.execution.observers import NoProgress, Unfailing
from vaportrail.execution.prepare import prepare
from vaportrail.execution.ray_backend import RayBackend
from vaportrail.telemetry.active_recorder import install, uninstall
from vaportrail.telemetry.recorder import Recorder

MEGABYTES = 40
UID = "7d2ab5c0-0000-4000-8000-000000000001"

gate = threading.Event()


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
def held(a: int) -> int:
    assert gate.wait(30)
    return a


@task(retries=1, backoff="1ms")
def once_more(tries: list[int]) -> int:
    tries.append(1)
    raise ConnectionError("no")


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    gate.clear()
    identity = RunIdentity(UID, "p", "n", 0)
    recorder = Recorder(RunSettings(identity, str(tmp_path / "spool"), str(tmp_path), "runs/p/n"), "runner")
    made = Executor(recorder, InThreads(), Unfailing(NoProgress()))
    with session.entered(made):
        yield made
    gate.set()
    made.drain()
    made.close()
    recorder.writer.close()


def settled(executor: Executor) -> None:
    """Wait until all has ended and the scheduler has taken what came before."""
    executor.drain()
    gc.collect()
    executor.drain()


def values(executor: Executor) -> dict[str, bool]:
    return {call.task_id: call.running is not None for call in executor.calls}


def test_a_value_that_nobody_can_ask_for_is_let_go_and_what_the_body_may_is_kept(
    executor: Executor,
) -> None:
    add(1)
    kept: Any = add(2)
    settled(executor)
    assert values(executor) == {"add-1": False, "add-2": True}
    assert result(kept) == 2
    del kept
    settled(executor)
    assert values(executor) == {"add-1": False, "add-2": False}


def test_a_value_is_kept_until_the_last_task_that_takes_it_has_ended(executor: Executor) -> None:
    last: Any = held(add(1))
    until(lambda: len(executor.calls) == 2 and executor.calls[0].over)
    first = executor.calls[0]
    gc.collect()
    assert first.running is not None
    gate.set()
    assert result(last) == 1
    settled(executor)
    assert first.running is None


def test_a_task_that_only_comes_after_another_holds_nothing_of_it(executor: Executor) -> None:
    first: Any = add(1)
    add.options(after=[first])(2)
    del first
    settled(executor)
    assert values(executor) == {"add-1": False, "add-2": False}


def test_as_completed_holds_no_value_of_what_it_has_yielded(executor: Executor) -> None:
    for each in as_completed([add(i) for i in range(3)]):
        assert outcome(each).ok
        del each
    settled(executor)
    assert not any(values(executor).values())


def test_arguments_and_function_go_with_the_last_attempt_and_not_before(executor: Executor) -> None:
    tried: Any = once_more([])
    assert outcome(tried) is Outcome.FAILED
    settled(executor)
    [call] = executor.calls
    assert call.attempts == 2
    assert (call.payload, call.function, call.running) == (b"", b"", None)


@task
def size(array: Any) -> int:
    return int(array.nbytes)


@task
def made(megabytes: int) -> Any:
    return np.ones((megabytes, 1 << 17))


@pipeline
def nothing() -> None: ...


def resident() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) >> 10


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline, tick = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it does not come to hold"
        tick.wait(0.05)


def test_ten_calls_with_a_large_array_leave_nothing_behind_in_the_runner_or_in_ray(tmp_path: Path) -> None:
    settings = prepare(nothing, {}, root=str(tmp_path)).settings
    with embedded_ray():
        import ray

        backend = RayBackend(settings)
        executor = Executor(install(settings, "runner"), backend, Unfailing(NoProgress()))

        def free() -> float:
            return float(ray.available_resources().get("object_store_memory", 0.0))

        try:
            whole = free()
            array = np.ones((MEGABYTES, 1 << 17))
            before = resident()
            with session.entered(executor):
                for _ in range(10):
                    size(array)
                executor.drain()
                gc.collect()
                assert resident() - before < 2 * MEGABYTES
                kept = made(MEGABYTES)
                assert result(size(kept)) == MEGABYTES << 20
                executor.drain()
                assert result(kept).nbytes == MEGABYTES << 20
                del kept
                executor.drain()
            assert {call.outcome for call in executor.calls} == {Outcome.SUCCEEDED}
            assert [call.running for call in executor.calls] == [None] * len(executor.calls)
            gc.collect()
            until(lambda: whole - free() < MEGABYTES << 20)
        finally:
            executor.close()
            backend.close()
            uninstall()
