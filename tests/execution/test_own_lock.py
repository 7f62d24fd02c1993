"""The runner's lock says that the runner lives: what it forked does not hold it on."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from thread_backend import InThreads
from vaportrail.authoring.pipeline import Pipeline
from vaportrail.contract.outcome import Outcome
from vaportrail.execution import run as run_module
from vaportrail.execution.observers import NoProgress
from vaportrail.execution.own_lock import locked
from vaportrail.execution.prepare import prepare
from vaportrail.execution.run import execute
from vaportrail.record.reading.read import open_run
from vaportrail.record.seal.local_seal import is_alive, seal_spool
from vaportrail.storage import layout

PATIENCE = 60
forked: list[int] = []


@pytest.fixture
def children() -> Iterator[list[int]]:
    """The processes that a body left behind."""
    forked.clear()
    yield forked
    for pid in forked:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def forks() -> None:
    pid = os.fork()
    if pid == 0:
        time.sleep(PATIENCE)
        os._exit(0)
    forked.append(pid)


def leaves_a_prefetcher() -> None:
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(PATIENCE,), daemon=True)
    worker.start()
    assert worker.pid is not None
    forked.append(worker.pid)


@pytest.mark.parametrize("body", [forks, leaves_a_prefetcher])
def test_a_run_is_sealed_while_what_its_body_forked_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[int], body: Callable[[], None]
) -> None:
    monkeypatch.setattr(run_module, "RayBackend", lambda settings, *, complete: InThreads())
    prepared = prepare(Pipeline(body, "forking"), {}, root=str(tmp_path / "root"))
    execute(prepared, NoProgress(), nullcontext())

    seal_spool(Path(prepared.settings.spool))

    assert open_run(prepared.settings.record_uri).outcome is Outcome.SUCCEEDED
    os.kill(children[0], 0)


def test_a_lock_is_gone_with_its_process_though_a_child_of_it_lives_on(tmp_path: Path) -> None:
    hears, says = os.pipe()
    runner = os.fork()
    if runner == 0:
        with (tmp_path / layout.LOCK).open("w") as file, locked(file, fcntl.LOCK_EX):
            if os.fork() == 0:
                os.write(says, f"{os.getpid()}".encode())
                time.sleep(PATIENCE)
                os._exit(0)
            signal.pause()
        os._exit(0)
    orphan = int(os.read(hears, 20))
    try:
        before = is_alive(tmp_path)
        os.kill(runner, signal.SIGKILL)
        os.waitpid(runner, 0)
        os.kill(orphan, 0)
        assert (before, is_alive(tmp_path)) == (True, False)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_a_child_does_not_give_its_parents_lock_away(tmp_path: Path) -> None:
    with (tmp_path / layout.LOCK).open("w") as file:
        block = locked(file, fcntl.LOCK_EX)
        with block:
            pid = os.fork()
            if pid == 0:
                block.__exit__(None, None, None)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            assert is_alive(tmp_path)
        assert not is_alive(tmp_path)
