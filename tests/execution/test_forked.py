"""A child that a task or a body forks ends at a signal, whatever its parent does with that signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vaportrail.cli.signals import cancelling
from vaportrail.execution.attempt import run_attempt  # noqa: F401  # what a worker imports

_in_hook: list[int] = []


def _signalled_in_hook() -> None:
    if _in_hook:
        os.kill(os.getpid(), _in_hook[0])


os.register_at_fork(after_in_child=_signalled_in_hook)


def workers_handler(_signum: int, _frame: object) -> None:
    sys.exit(1)


workers_handler.__module__ = "ray._private.worker"


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)
    _in_hook.clear()


def end_of_child(act: Callable[[], None] = lambda: None) -> int:
    """Return by which signal a forked child ended, negative, or with which code."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_ends_at_a_signal_that_its_parent_takes_as_a_worker(number: int) -> None:
    signal.signal(number, workers_handler)

    assert end_of_child(lambda: os.kill(os.getpid(), number)) == -number
    assert signal.getsignal(number) is workers_handler


def test_a_child_ends_at_a_signal_that_comes_while_it_begins(number: int) -> None:
    signal.signal(number, workers_handler)
    _in_hook.append(number)

    assert end_of_child() == -number


def test_a_child_of_the_body_cancels_no_run(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    with cancelling() as cancellation:
        assert end_of_child(lambda: os.kill(os.getpid(), number)) == -number

    assert cancellation.requested is None
    assert capfd.readouterr().err == ""


def test_a_handler_of_the_users_reaches_the_child(number: int) -> None:
    def mine(_signum: int, _frame: Any) -> None:
        os._exit(3)

    signal.signal(number, mine)

    assert end_of_child(lambda: os.kill(os.getpid(), number)) == 3


def test_no_signal_stays_blocked_by_a_fork() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert end_of_child(lambda: os._exit(signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)) == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_child_of_a_recorded_process_starts_no_thread_as_it_begins() -> None:
    code = """
import os, threading
from vaportrail.telemetry.tracing import install_provider
install_provider()
threading.Thread.start = lambda self: os._exit(3)
child = os.fork()
if child == 0:
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
