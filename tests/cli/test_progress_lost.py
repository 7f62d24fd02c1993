"""Progress whose terminal or pipe is gone: it is dropped, and its stream does not spoil the process's end."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from vaportrail.cli.progress import LiveProgress, PlainProgress
from vaportrail.contract.outcome import Outcome
from vaportrail.execution.observers import Unfailing


@pytest.fixture
def broken_pipe() -> Iterator[TextIO]:
    """A pipe that nobody reads any more, as of `2> >(head -3)`."""
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w", buffering=1) as out:
        yield out


@pytest.fixture
def gone_terminal() -> Iterator[TextIO]:
    """A terminal that went away: writing to it is an input/output error."""
    near, far = pty.openpty()
    os.close(near)
    with open(far, "w", buffering=1) as out:
        yield out


def test_plain_progress_into_a_pipe_that_nobody_reads_is_dropped_and_leaves_nothing_to_flush(
    broken_pipe: TextIO,
) -> None:
    said: list[str] = []
    with PlainProgress(broken_pipe) as shown:
        progress = Unfailing(shown, said.append)
        progress.stage("starting Ray")
        progress.stage("Ray started")

    broken_pipe.flush()  # as Python does at its end, whose exit code would be 120 else
    assert said == ["progress is not shown any more: BrokenPipeError: [Errno 32] Broken pipe"]


@pytest.mark.parametrize("stream", ["broken_pipe", "gone_terminal"])
def test_live_progress_on_a_terminal_that_is_gone_is_dropped_and_its_thread_raises_nothing(
    stream: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # it draws, as on a terminal that is there
    monkeypatch.setenv("TERM", "xterm")
    out: TextIO = request.getfixturevalue(stream)
    said: list[str] = []
    with LiveProgress(out) as shown:
        progress = Unfailing(shown, said.append)
        progress.task_submitted("add-1", "add(a=1)")
        progress.attempt_started("add-1", 1)
        progress.task_ended("add-1", Outcome.FAILED, 1.0, None, "")
        shown._live.refresh()
        progress.stage("sealing the record")

    out.flush()
    assert len(said) == 1
    assert said[0].startswith("progress is not shown any more: ")


class Unbuffered(io.TextIOBase):
    """A stream as `python -u` has it: each write goes out by itself."""

    def __init__(self) -> None:
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


def test_a_line_of_progress_is_one_write_that_nothing_of_another_thread_comes_into() -> None:
    out = Unbuffered()

    PlainProgress(out, clock=lambda: 0.0).stage("Ray started")

    assert [text.partition(" ")[2] for text in out.writes] == ["Ray started\n"]
