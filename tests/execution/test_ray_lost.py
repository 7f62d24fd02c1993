"""Ray's own processes may end before the run does: the run hears it, seals, and names the process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ray._private import worker

from conftest import PIPELINES, make_run
from thread_backend import InThreads
from vaportrail import outcome, pipeline, result, task
from vaportrail.contract.outcome import Outcome
from vaportrail.errors import RayLost
from vaportrail.execution import run as run_module
from vaportrail.execution.executor import HELD_UP_SECONDS
from vaportrail.execution.observers import NoProgress
from vaportrail.execution.prepare import prepare
from vaportrail.execution.ray_watch import watched_ray
from vaportrail.execution.run import execute
from vaportrail.execution.run_cancellation import Cancellation
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.local_seal import seal_spool

PATIENCE = 60
gate = threading.Event()


class Node:
    """What Ray keeps of the processes that it started, as far as the watch asks it."""

    def __init__(self) -> None:
        self.dead: list[tuple[str, object]] = []

    def dead_processes(self) -> list[tuple[str, object]]:
        return list(self.dead)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr(worker, "_global_node", node)
    monkeypatch.setattr(run_module, "RayBackend", lambda *_args, **_kwargs: InThreads())
    gate.clear()
    yield node
    gate.set()


@task
def waits() -> None:
    assert gate.wait(PATIENCE)


def loses(process: str = "gcs_server") -> None:
    node: Any = worker._global_node
    node.dead.append((process, object()))


@pipeline
def computes() -> None:
    waits()
    loses()
    threading.Event().wait(PATIENCE)


@pipeline
def asks_for_a_value() -> None:
    running = waits()
    loses()
    result(running)


@pipeline
def is_drained() -> None:
    waits()
    loses("raylet")


@pipeline
def has_more_to_start() -> None:
    for _ in range(3):
        waits()
    loses()


@pipeline
def takes_our_signal(handler: int) -> None:
    signal.signal(signal.SIGUSR1, signal.Handlers(handler))
    waits()
    loses()
    time.sleep(PATIENCE)


@pipeline
def is_cancelled_by_what_ended_ray() -> None:
    running = waits()
    loses()
    signal.raise_signal(signal.SIGUSR2)
    result(running)


@pipeline
def goes_on_without_its_tasks() -> None:
    running = waits()
    loses()
    try:
        outcome(running)
    except RayLost:
        outcome(waits())


@pipeline
def loses_what_is_not_needed() -> None:
    running = waits()
    loses("log_monitor")
    threading.Timer(1.2, gate.set).start()
    result(running)


def run(folder: Path, of: Any, cancellation: Cancellation | None = None, **parameters: Any) -> Run:
    prepared = prepare(of, parameters, root=str(folder / "root"))
    execute(prepared, NoProgress(), nullcontext(), cancellation=cancellation)
    seal_spool(Path(prepared.settings.spool))
    return open_run(prepared.settings.record_uri)


def in_another_thread(act: Callable[[], Run]) -> Run:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


BODIES = [computes, asks_for_a_value, is_drained, goes_on_without_its_tasks]


@pytest.mark.parametrize("of", BODIES, ids=lambda of: of.name)
def test_a_run_whose_ray_is_gone_ends_wherever_it_is_and_its_record_names_the_process(
    tmp_path: Path, node: Node, of: Any
) -> None:
    ended = run(tmp_path, of)

    process = "raylet" if of is is_drained else "gcs_server"
    assert ended.outcome is Outcome.FAILED
    assert ended.facts.verdict.message.startswith(f"Ray's process {process} ended while the run went on")
    assert {task.outcome for task in ended.tasks} == {Outcome.CANCELLED}
    assert ended.facts.counts.loss == "None"


class HeldUp(InThreads):
    """A backend that asks a process which is gone."""

    def start(self, *_: Any, **__: Any) -> Any:
        gate.wait(PATIENCE)
        raise ConnectionError


@pytest.mark.parametrize("start", [lambda act: act(), in_another_thread], ids=["main thread", "another"])
@pytest.mark.parametrize(
    ("of", "tasks"),
    [(is_drained, 1), (asks_for_a_value, 1), (has_more_to_start, 3)],
    ids=lambda of: getattr(of, "name", None),
)
def test_a_backend_that_is_held_up_by_its_loss_is_left_there(
    tmp_path: Path,
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[[Callable[[], Run]], Run],
    of: Any,
    tasks: int,
) -> None:
    monkeypatch.setattr(run_module, "RayBackend", lambda *_args, **_kwargs: HeldUp())
    begun = time.monotonic()
    ended = start(lambda: run(tmp_path, of))

    assert time.monotonic() - begun < HELD_UP_SECONDS
    assert [task.outcome for task in ended.tasks] == [Outcome.CANCELLED] * tasks


@pytest.mark.parametrize("of", [asks_for_a_value, is_drained], ids=lambda of: of.name)
def test_it_ends_also_where_it_is_not_in_the_main_thread(tmp_path: Path, node: Node, of: Any) -> None:
    assert in_another_thread(lambda: run(tmp_path, of)).outcome is Outcome.FAILED


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_it_ends_also_where_the_body_has_taken_its_signal(
    tmp_path: Path, node: Node, handler: signal.Handlers
) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    begun = time.monotonic()
    ended = run(tmp_path, takes_our_signal, handler=int(handler))

    assert time.monotonic() - begun < PATIENCE
    assert ended.outcome is Outcome.FAILED
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_run_that_is_cancelled_by_what_ended_its_ray_is_cancelled(tmp_path: Path, node: Node) -> None:
    cancellation = Cancellation()
    before = signal.signal(signal.SIGUSR2, lambda *_: cancellation.request())
    try:
        ended = run(tmp_path, is_cancelled_by_what_ended_ray, cancellation)
    finally:
        signal.signal(signal.SIGUSR2, before)

    assert ended.outcome is Outcome.CANCELLED
    assert "Ray's process" not in ended.facts.verdict.message


def test_a_ray_that_is_shut_down_while_it_is_looked_at_is_looked_at_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([RuntimeError("dictionary changed size during iteration")])
    heard = threading.Event()

    def dead_processes() -> list[tuple[str, object]]:
        for error in looks:
            raise error
        return [("raylet", object())]

    monkeypatch.setattr(node, "dead_processes", dead_processes)
    with watched_ray(lambda _error: heard.set()):
        assert heard.wait(PATIENCE)


def test_a_process_that_ray_goes_on_without_ends_no_run(tmp_path: Path, node: Node) -> None:
    assert run(tmp_path, loses_what_is_not_needed).outcome is Outcome.SUCCEEDED


def test_a_ray_that_was_started_elsewhere_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[RayLost] = []
    for node in (None, object()):
        monkeypatch.setattr(worker, "_global_node", node)
        with watched_ray(heard.append):
            pass

    assert heard == []


@pytest.mark.parametrize("process", ["gcs_server", "raylet"])
def test_a_real_ray_that_loses_a_process_ends_its_run_within_rays_own_patience(
    tmp_path: Path, process: str
) -> None:
    made = make_run(tmp_path / "root", f"{PIPELINES / 'kills_ray.py'}:kills_ray", "-p", f"process={process}")

    assert made.finished.code == 1
    assert f"Ray's process {process} ended while the run went on" in made.finished.err
    assert "Raylet is terminated" not in made.finished.err
    assert made.run.outcome is Outcome.FAILED
    assert [task.outcome for task in made.run.tasks] == [Outcome.CANCELLED]
