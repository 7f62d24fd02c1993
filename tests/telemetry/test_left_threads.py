"""Whose a thread is that outlives the attempt that started it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.active_recorder import install, uninstall
from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope, set_attempt_scope
from vaportrail.telemetry.context import context
from vaportrail.telemetry.left_output import LINE_LIMIT, LeftOutput
from vaportrail.telemetry.left_threads import leave_threads
from vaportrail.telemetry.spool import read_spool
from vaportrail.telemetry.values import read_attributes

FIRST, SECOND = AttemptScope("first-1", "first", 1, "a" * 16), AttemptScope("second-1", "second", 1, "b" * 16)
DEADLINE = 30.0


class Worker(threading.Thread):
    """A thread that calls what it is handed, until it is handed None."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._handed, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._fn: Callable[[], object] | None = None

    def run(self) -> None:
        while self._handed.acquire(timeout=DEADLINE) and self._fn is not None:
            self._fn()
            self._done.release()

    def call(self, fn: Callable[[], object]) -> None:
        self._fn = fn
        self._handed.release()
        assert self._done.acquire(timeout=DEADLINE)

    def end(self) -> None:
        self._fn = None
        self._handed.release()
        self.join(DEADLINE)


@pytest.fixture(autouse=True)
def starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    return RunSettings(RunIdentity("uid", "p", "n", 0), str(tmp_path / "spool"), str(tmp_path), "runs/p/n")


@pytest.fixture
def left(settings: RunSettings) -> Iterator[Worker]:
    """A thread that the first attempt left; the second one runs."""
    before = frozenset(threading.enumerate())
    set_attempt_scope(FIRST, settings)
    worker = Worker()
    worker.start()
    assert leave_threads(FIRST, before)
    set_attempt_scope(SECOND, settings)
    yield worker
    worker.end()
    set_attempt_scope(None)


def asked(worker: Worker, fn: Callable[[], AttemptScope | None] = attempt_scope) -> AttemptScope | None:
    found: list[AttemptScope | None] = []
    worker.call(lambda: found.append(fn()))
    return found[0]


def test_a_left_thread_is_of_the_attempt_that_started_it(left: Worker) -> None:
    assert asked(left) == FIRST
    assert attempt_scope() == SECOND


def test_it_stays_so_when_the_next_attempt_ends(left: Worker) -> None:
    leave_threads(SECOND, frozenset())
    set_attempt_scope(None)

    assert asked(left) == FIRST


def test_what_it_starts_is_of_the_same_attempt(left: Worker) -> None:
    def started() -> AttemptScope | None:
        found: list[AttemptScope | None] = []
        thread = threading.Thread(target=lambda: found.append(attempt_scope()))
        thread.start()
        thread.join(DEADLINE)
        return found[0]

    assert asked(left, started) == FIRST
    assert started() == SECOND


def test_what_is_bound_is_of_the_attempt_that_bound_it(left: Worker) -> None:
    assert asked(left, context().bind(attempt_scope)) == SECOND
    assert asked(left) == FIRST


def test_a_thread_that_was_there_before_is_of_the_attempt_that_runs(settings: RunSettings) -> None:
    worker = Worker()
    worker.start()
    leave_threads(FIRST, frozenset(threading.enumerate()))
    set_attempt_scope(SECOND, settings)

    assert asked(worker) == SECOND
    worker.end()
    set_attempt_scope(None)


def test_a_pools_thread_is_the_left_attempts_for_the_work_in_hand_alone(settings: RunSettings) -> None:
    working, over = threading.Event(), threading.Event()
    before = frozenset(threading.enumerate())

    def work() -> AttemptScope | None:
        working.set()
        over.wait(DEADLINE)
        return attempt_scope()

    with ThreadPoolExecutor(1) as busy, ThreadPoolExecutor(1) as idle:
        idle.submit(int).result(DEADLINE)
        in_hand = busy.submit(work)
        assert working.wait(DEADLINE)
        leave_threads(FIRST, before)
        set_attempt_scope(SECOND, settings)
        over.set()

        assert in_hand.result(DEADLINE) == FIRST
        assert busy.submit(attempt_scope).result(DEADLINE) == SECOND
        assert idle.submit(attempt_scope).result(DEADLINE) == SECOND
    set_attempt_scope(None)


def test_what_it_prints_is_recorded_as_its_attempts_and_what_others_print_passes(
    left: Worker, settings: RunSettings
) -> None:
    recorder = install(settings, "worker")
    file = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    output = LeftOutput(recorder)
    output.divert("stdout", file)
    output.divert("stdout", file)

    left.call(lambda: print("one\ntwo\nbar 10%\rbar 20%", end="", file=file))
    print("beside it", file=file)
    output.flush()
    uninstall()

    (path,) = Path(settings.spool).glob("*.spool")
    records = [
        (line.record["body"]["stringValue"], read_attributes(line.record["attributes"]))
        for line in read_spool(iter(path.read_bytes().splitlines(keepends=True)[1:]))
    ]
    assert [text for text, _ in records] == ["one\ntwo", "bar 20%"]
    assert {named[c.TASK_RUN_ID] for _, named in records} == {"first-1"}
    assert [named.get(c.STREAM_PARTIAL) for _, named in records] == [None, True]
    assert file.buffer.getvalue() == b"beside it\n"  # type: ignore[attr-defined]


def test_a_secret_in_a_line_that_is_too_long_is_not_cut_in_two(
    left: Worker, settings: RunSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter2-hunter2"
    monkeypatch.setenv("API_TOKEN", secret)
    recorder = install(settings, "worker")
    file = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    output = LeftOutput(recorder)
    output.divert("stdout", file)
    pieces = ["." * (LINE_LIMIT - 5), f"{secret} and {secret[:7]}", f"{secret[7:]} more", "." * LINE_LIMIT]

    for piece in pieces:
        left.call(partial(print, piece, end="", file=file))
    output.flush()
    uninstall()

    (path,) = Path(settings.spool).glob("*.spool")
    lines = read_spool(iter(path.read_bytes().splitlines(keepends=True)[1:]))
    texts = [line.record["body"]["stringValue"] for line in lines]
    assert len(texts) > 1
    assert "".join(texts) == "".join(pieces).replace(secret, "[redacted:API_TOKEN]")
