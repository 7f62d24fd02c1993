"""A record that is made while another is: by the same thread, a signal's handler, another thread."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.telemetry import active_recorder as recorders
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.spool import Header, Writer, read_ledger, read_spool
from vaportrail.telemetry.stdlib_logging import install_handler

PATIENCE = 60
HEADER = Header("w", "worker", 7, {})


@pytest.fixture(autouse=True)
def no_deadlock() -> Iterator[None]:
    """Breaks off what waits for ever."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("the record waits for ever")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def texts(folder: Path) -> dict[int, Any]:
    """Return what is in a spool by its number, and check that the ledger counts just that."""
    lines = list(read_spool(iter((folder / "w.spool").read_bytes().splitlines(keepends=True)[1:])))
    assert read_ledger((folder / "w.ledger").read_bytes()) == {"L": len(lines), "T": 0, "M": 0}
    return {line.seq: line.record.get("text") for line in lines}


def by_a_text(log: Callable[[], None]) -> None:
    class Shown:
        def __str__(self) -> str:
            log()
            return "shown"

    str(Shown())


def by_a_finalizer(log: Callable[[], None]) -> None:
    class Left:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            log()

    Left()
    gc.collect()


def by_a_signal(log: Callable[[], None]) -> None:
    before = signal.signal(signal.SIGUSR2, lambda _number, _frame: log())
    signal.raise_signal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)


def by_another_thread(log: Callable[[], None]) -> None:
    other = threading.Thread(target=log, daemon=True)
    other.start()
    other.join()


@pytest.mark.parametrize("by", [by_a_text, by_a_finalizer, by_a_signal, by_another_thread])
def test_a_record_made_while_another_is_made_is_written_as_well(
    tmp_path: Path, by: Callable[[Callable[[], None]], None]
) -> None:
    writer = Writer(tmp_path, HEADER)

    def inner() -> None:
        writer.append("L", "s", lambda seq: {"text": "inner"})

    def make(seq: int) -> dict[str, Any]:
        by(inner)
        return {"text": "outer"}

    writer.append("L", "s", make)
    assert texts(tmp_path) == {1: "outer", 2: "inner"}
    writer.close()


def test_records_of_a_signals_handler_at_any_moment_are_all_written_and_counted(tmp_path: Path) -> None:
    writer = Writer(tmp_path, HEADER)
    heard = 0

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        writer.append("L", "s", lambda seq: {"text": "handler"})

    before = signal.signal(signal.SIGPROF, hear)
    signal.setitimer(signal.ITIMER_PROF, 0.0005, 0.0005)
    made = 0
    while heard < 30:
        writer.append("L", "s", lambda seq: {"text": "body"})
        made += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)

    found = texts(tmp_path)
    assert sorted(found) == list(range(1, made + heard + 1))
    assert sorted(found.values()) == ["body"] * made + ["handler"] * heard
    writer.close()


@pytest.mark.parametrize("by", [by_a_text, by_another_thread])
def test_what_is_logged_while_an_extra_becomes_a_text_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: Callable[[Callable[[], None]], None]
) -> None:
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    monkeypatch.setattr(recorders, "_active", Recorder(settings, "worker", writer_id="w"))
    logger = logging.getLogger("mine")

    class Config:
        def __str__(self) -> str:
            by(lambda: logger.warning("rendering"))
            return "config"

    end = install_handler()
    logger.warning("start", extra={"config": Config()})
    end()
    recorders.uninstall()
    lines = read_spool(iter((tmp_path / "w.spool").read_bytes().splitlines(keepends=True)[1:]))
    told = {line.record["body"]["stringValue"] for line in lines}
    assert told == {"start", "rendering"}
