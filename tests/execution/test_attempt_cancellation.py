"""A cancellation interrupts the attempt that it is meant for, once, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = """
import os, signal, sys, time
from pathlib import Path
from vaportrail.execution.attempt_cancellation import AttemptCancelled, cancellable

mine, other = Path(sys.argv[1], "mine"), Path(sys.argv[1], "other")
"""


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: it sets signal handlers, and may die of a signal."""
    command = [sys.executable, "-c", HEAD + body, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_sleeping_attempt_is_woken_once_and_may_clean_up(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
mine.touch()
try:
    with cancellable(mine):
        try:
            time.sleep(50)
        finally:
            signal.raise_signal(signal.SIGINT)  # Ray says it, too
            print("cleaned up")
except AttemptCancelled:
    print("cancelled")
""",
    )

    assert done.stdout.splitlines() == ["cleaned up", "cancelled"], done.stderr


def test_a_signal_that_comes_after_its_attempt_harms_neither_the_process_nor_the_next(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
with cancellable(mine):
    pass
signal.raise_signal(signal.SIGUSR1)
with cancellable(other):
    signal.raise_signal(signal.SIGUSR1)
print("went on")
""",
    )

    assert done.stdout == "went on\n", (done.returncode, done.stderr)


def test_afterwards_the_handler_is_the_one_from_before(tmp_path: Path) -> None:
    body = """
before = signal.getsignal(signal.SIGINT)
try:
    with cancellable(mine):
        assert signal.getsignal(signal.SIGINT) is not before
        raise ValueError("raised within")
except ValueError:
    assert signal.getsignal(signal.SIGINT) is before
"""
    done = run(tmp_path, body)

    assert done.returncode == 0, done.stderr
