"""What waits together for the executor's thread is recorded by one write, before anybody sees any of it."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thread_backend import PATIENCE, InThreads
from vaportrail import task
from vaportrail.authoring.handle import Handle
from vaportrail.authoring.options import TaskOptions
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import InternalError, SpoolError
from vaportrail.execution.attempt import AttemptSpec
from vaportrail.execution.backend import AttemptEnd, Running
from vaportrail.execution.executor import Executor
from vaportrail.execution.observers import NoProgress, Unfailing
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import read_ledger, read_spool
from vaportrail.telemetry.values import read_attributes

UID = "7d2ab5c0-0000-4000-8000-000000000001"


@task
def add(*values: Any) -> int:
    return 1


@task
def fails(*values: Any) -> int:
    raise ValueError("no")


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    identity = RunIdentity(UID, "p", "n", 0)
    made = Recorder(RunSettings(identity, str(tmp_path / "spool"), str(tmp_path), "runs/p/n"), "runner")
    yield made
    made.writer.close()


def spool(recorder: Recorder) -> Path:
    return recorder.writer.directory / f"{recorder.writer.header.writer}.spool"


def recorded(recorder: Recorder) -> list[tuple[str, str]]:
    """Return of each record its signal and its task."""
    lines = read_spool(iter(spool(recorder).read_bytes().splitlines(keepends=True)[1:]))
    return [(line.kind, str(read_attributes(line.record["attributes"])[c.TASK_RUN_ID])) for line in lines]


class Held(InThreads):
    """A backend that holds up the executor's thread at an attempt of this number."""

    def __init__(self, at: int = 1) -> None:
        super().__init__()
        self._at = at
        self.reached, self.released = threading.Event(), threading.Event()

    def start(
        self,
        spec: AttemptSpec,
        options: TaskOptions,
        payload: bytes,
        inputs: list[Any],
        on_end: Callable[[AttemptEnd], None],
    ) -> Running:
        if len(self.specs) + 1 == self._at:
            self.reached.set()
            assert self.released.wait(PATIENCE)
        return super().start(spec, options, payload, inputs, on_end)


class Sees(NoProgress):
    """Looks at the record whenever something of it is to be seen."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.unrecorded: list[tuple[str, str]] = []
        self.seen: list[str] = []

    def _see(self, task_id: str, kind: str) -> None:
        self.seen.append(task_id)
        if (kind, task_id) not in recorded(self._recorder):
            self.unrecorded.append((kind, task_id))

    def task_submitted(self, task_id: str, label: str) -> None:
        self._see(task_id, "L")

    def attempt_started(self, task_id: str, attempt: int) -> None:
        self._see(task_id, "L")

    def task_ended(
        self, task_id: str, outcome: Outcome, seconds: float, failure: Failure | None, cause: str
    ) -> None:
        self._see(task_id, "T")


calls = st.lists(st.tuples(st.sampled_from([add, add, fails]), st.sets(st.integers(0, 20), max_size=2)))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(calls)
def test_whatever_is_seen_of_a_task_is_on_record_before(
    tmp_path_factory: pytest.TempPathFactory, graph: list[tuple[Any, set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    identity = RunIdentity(UID, "p", "n", 0)
    recorder = Recorder(RunSettings(identity, str(folder / "spool"), str(folder), "runs/p/n"), "runner")
    backend, sees = Held(), Sees(recorder)
    executor = Executor(recorder, backend, Unfailing(sees))
    handles: list[Handle] = []
    for called, needs in graph:
        handles.append(executor.submit(called, tuple(handles[i] for i in needs if i < len(handles)), {}))
    backend.released.set()
    executor.drain()
    executor.close()
    recorder.writer.close()

    assert sees.unrecorded == []
    assert {handle.task_id for handle in handles} == set(sees.seen)
    assert sorted(recorded(recorder)) == sorted((kind, each.task_id) for each in handles for kind in "LT")


def test_what_waits_together_is_written_by_few_writes(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Held()
    executor = Executor(recorder, backend, Unfailing(NoProgress()))
    executor.submit(add, (), {})
    assert backend.reached.wait(PATIENCE)
    writes, write = [], os.write

    def counted(fd: int, raw: bytes) -> int:
        if raw.endswith(b"}\n"):
            writes.append(raw)
        return write(fd, raw)

    monkeypatch.setattr(os, "write", counted)
    for _ in range(40):
        executor.submit(add, (), {})
    assert writes == []
    backend.released.set()
    executor.drain()
    executor.close()

    assert sum(raw.count(b"\n") for raw in writes) == 40 + 41
    assert max(raw.count(b"\n") for raw in writes) >= 40


def test_where_calls_cannot_be_written_none_of_them_starts_and_all_is_recorded_once_there_is_room(
    recorder: Recorder,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    backend = Held()
    executor = Executor(
        recorder,
        backend,
        Unfailing(NoProgress()),
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before),
    )
    executor.submit(add, (), {})
    assert backend.reached.wait(PATIENCE)
    for _ in range(9):
        executor.submit(add, (), {})
    # Room for the first lines of those that are written together, and a part of the next.
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool(recorder).stat().st_size + 2000, before[1]))
    try:
        backend.released.set()
        executor.drain()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    executor.close()

    assert isinstance(executor.fault, SpoolError)
    assert [spec.task_id for spec in backend.specs] == ["add-1"]
    assert {call.outcome for call in executor.calls[1:]} == {Outcome.CANCELLED}
    names = [f"add-{i}" for i in range(1, 11)]
    assert sorted(recorded(recorder)) == sorted((kind, name) for kind in "LT" for name in names)
    raw = (spool(recorder).with_suffix(".ledger")).read_bytes()
    assert read_ledger(raw) == {"L": 10, "T": 10, "M": 0}


def test_a_task_that_ends_as_it_is_abandoned_ends_once(recorder: Recorder) -> None:
    backend = Held(at=2)
    executor = Executor(recorder, backend, Unfailing(NoProgress()))
    executor.submit(add, (), {})
    executor.submit(add, (), {})
    assert backend.reached.wait(PATIENCE)
    executor.give_up()
    backend.released.set()
    executor.drain()
    executor.close()
    assert sorted(each for each in recorded(recorder) if each[0] == "T") == [("T", "add-1"), ("T", "add-2")]


def test_what_was_taken_together_with_what_is_held_up_is_not_lost_with_it(recorder: Recorder) -> None:
    backend, held, released = Held(), threading.Event(), threading.Event()

    def on_fault() -> None:
        held.set()
        assert released.wait(PATIENCE)

    executor = Executor(recorder, backend, Unfailing(NoProgress()), on_fault)
    executor.submit(add, (), {})
    assert backend.reached.wait(PATIENCE)
    executor.land(ValueError("no"))
    executor.submit(add, (), {})
    drained = threading.Thread(target=executor.drain, daemon=True)
    drained.start()
    backend.released.set()
    assert held.wait(PATIENCE)
    executor.give_up()
    drained.join(PATIENCE)
    assert not drained.is_alive()
    before = recorded(recorder)
    released.set()
    executor.close()

    assert {call.task_id: call.outcome for call in executor.calls}["add-2"] is Outcome.CANCELLED
    assert sorted(before) == sorted((kind, name) for kind in "LT" for name in ("add-1", "add-2"))
    assert recorded(recorder) == before


def test_what_is_recorded_as_another_thread_ends_the_run_is_recorded_once(tmp_path: Path) -> None:
    armed = threading.Event()

    def clock() -> int:
        if armed.is_set() and threading.current_thread().name == "vaportrail-executor":
            armed.clear()
            lost = threading.Thread(target=executor.lose, args=(InternalError("its Ray is gone"),))
            lost.start()
            lost.join()
        return time.time_ns()

    settings = RunSettings(RunIdentity(UID, "p", "n", 0), str(tmp_path / "spool"), str(tmp_path), "runs/p/n")
    recorder = Recorder(settings, "runner", clock=clock)
    backend = Held()
    backend.dies = AttemptEnd(Outcome.WORKER_LOST, Failure("E", "gone"), self_reported=False)
    executor = Executor(recorder, backend, Unfailing(NoProgress()))
    executor.submit(add, (), {})
    assert backend.reached.wait(PATIENCE)
    armed.set()
    backend.released.set()
    executor.drain()
    executor.close()
    recorder.writer.close()

    assert sorted(recorded(recorder)) == [("L", "add-1"), ("L", "add-1"), ("T", "add-1")]
