"""The tests' own processes: what they start does not depend on who started them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def deaf_to(process_status: str) -> set[signal.Signals]:
    """Return which of the signals a process ignores or blocks, from its /proc/*/status."""
    masks = dict(line.split(":\t", 1) for line in process_status.splitlines() if ":\t" in line)
    deaf = int(masks["SigIgn"], 16) | int(masks["SigBlk"], 16)
    return {number for number in HEARD if deaf >> (number - 1) & 1}


def test_what_a_test_starts_hears_every_signal() -> None:
    done = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True)

    assert deaf_to(done.stdout) == set()


def test_it_hears_them_too_where_pytest_itself_was_started_in_the_background(tmp_path: Path) -> None:
    file = Path(__file__).relative_to(REPOSITORY)
    pytest = f"{sys.executable} -m pytest -n 1 --no-cov -q -p no:cacheprovider --basetemp {tmp_path}/again"
    inner = f"{file}::test_what_a_test_starts_hears_every_signal"

    done = subprocess.run(
        ["sh", "-c", f'trap "" INT HUP QUIT TERM; exec {pytest} {inner}'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
