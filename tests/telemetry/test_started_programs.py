"""Programs that print beside the record are told, whichever way they start; those that cannot are not."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

import pytest

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import active_recorder as recorders
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.recorder import Recorder
from vaportrail.telemetry.started_programs import PROGRAMS, report_started_programs

TRUE = ["/bin/true"]


def run(**streams: Any) -> Callable[[], object]:
    return lambda: subprocess.run(TRUE, check=True, **streams)


def to_a_file() -> None:
    with Path("out").open("wb") as file:
        subprocess.run(TRUE, check=True, stdout=file, stderr=STDOUT)


def onto_stdout() -> None:
    subprocess.run(TRUE, check=True, stdout=sys.__stdout__, stderr=PIPE)


def awaited() -> None:
    async def start() -> None:
        await (await asyncio.create_subprocess_exec(*TRUE)).wait()

    asyncio.run(start())


def spawned() -> None:
    os.waitpid(os.posix_spawn(TRUE[0], TRUE, {}), 0)


def forked(turn: Callable[[], object]) -> Callable[[], object]:
    """Return what forks and lets the child be another program, once it turned its descriptors."""

    def start() -> None:
        pid = os.fork()
        if pid == 0:
            try:
                turn()
                os.execv(TRUE[0], TRUE)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0

    return start


def turn_to_a_file() -> None:
    fd = os.open("out", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)


def process(method: str) -> Callable[[], object]:
    def start() -> None:
        made = multiprocessing.get_context(method).Process(target=os.getpid)  # type: ignore[attr-defined]
        made.start()
        made.join()
        assert made.exitcode == 0

    return start


BESIDE = {
    "inherits both": run(),
    "through a shell": run(shell=True),
    "keeps descriptors open": run(close_fds=False),
    "inherits stderr": run(stdout=PIPE),
    "inherits stdout": run(stderr=DEVNULL),
    "stderr joins the inherited stdout": run(stderr=STDOUT),
    "is given stdout": onto_stdout,
    "os.system": lambda: os.system("true"),
    "os.popen": lambda: os.popen("true").close(),
    "os.posix_spawn": spawned,
    "os.spawnv": lambda: os.spawnv(os.P_WAIT, TRUE[0], TRUE),
    "fork and exec": forked(lambda: None),
    "asyncio": awaited,
    "multiprocessing, spawn": process("spawn"),
}
HEARD = {
    "captured": run(capture_output=True),
    "captured together": run(stdout=PIPE, stderr=STDOUT),
    "captured, with a pid": run(capture_output=True, close_fds=False),
    "to nowhere": run(stdout=DEVNULL, stderr=DEVNULL),
    "to a file": to_a_file,
    "fork and exec to a file": forked(turn_to_a_file),
    "multiprocessing, fork": process("fork"),
    "a lock": lambda: multiprocessing.get_context("spawn").Lock(),
}


@pytest.fixture(autouse=True)
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(tmp_path), str(tmp_path), "x")
    made = Recorder(settings, "runner", writer_id="w")
    monkeypatch.setattr(recorders, "_active", made)
    monkeypatch.chdir(tmp_path)
    return made


def told(recorder: Recorder) -> Iterator[tuple[str, int]]:
    """Yield what was told by this process and by those that it forked."""
    folder = Path(recorder.settings.spool)
    for path in folder.glob("*.spool"):
        for record in spooled_records(open_store(str(folder)), path.name):
            assert record.body["eventName"] == c.EVENT_NOT_CAPTURED
            yield record.body["body"]["stringValue"], record.attributes[c.NOT_CAPTURED_COUNT]


@pytest.mark.parametrize("how", BESIDE)
def test_a_program_that_prints_beside_the_record_is_told_once(recorder: Recorder, how: str) -> None:
    with report_started_programs():
        BESIDE[how]()

    assert list(told(recorder)) == [(PROGRAMS, 1)]


@pytest.mark.parametrize("how", HEARD)
def test_a_program_that_somebody_hears_is_no_loss(recorder: Recorder, how: str) -> None:
    with report_started_programs():
        HEARD[how]()

    assert list(told(recorder)) == []


def test_outside_the_body_nothing_is_told(recorder: Recorder) -> None:
    with report_started_programs():
        pass
    run()()
    process("spawn")()

    assert list(told(recorder)) == []


def test_a_spool_that_is_full_keeps_no_program_from_starting(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_line: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder.writer, "_write", full)
    with report_started_programs():
        assert subprocess.run(TRUE, check=False).returncode == 0
