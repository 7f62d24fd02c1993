"""An attempt's time limit: heard by Python code, and by a hanging process at last."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vaportrail.execution.deadline import AttemptTimedOut, keeping_limit, time_limit

# The time limit and pytest-timeout would share the one alarm of the process.
pytestmark = pytest.mark.timeout(120, method="thread")


def wait_for_ever() -> None:
    threading.Event().wait(60)


@pytest.mark.parametrize(
    "body",
    [lambda: time.sleep(60), wait_for_ever, lambda: subprocess.run(["sleep", "60"])],
    ids=["sleep", "lock", "child"],
)
def test_a_block_that_runs_too_long_is_interrupted(tmp_path: Path, body: Any) -> None:
    started = time.monotonic()
    with (
        pytest.raises(AttemptTimedOut, match=r"ran longer than its timeout of 0\.05 s"),
        time_limit(0.05, tmp_path / "s"),
    ):
        body()
    assert time.monotonic() - started < 20


def test_the_interruption_passes_handlers_of_exceptions(tmp_path: Path) -> None:
    swallowed = []

    def body() -> None:
        try:
            time.sleep(60)
        except Exception as error:
            swallowed.append(error)

    with pytest.raises(AttemptTimedOut), time_limit(0.05, tmp_path / "s"):
        body()
    assert swallowed == []


def test_an_interrupted_block_can_clean_up(tmp_path: Path) -> None:
    cleaned = []

    def body() -> None:
        try:
            time.sleep(60)
        finally:
            subprocess.run(["true"], check=True)
            cleaned.append(True)

    with pytest.raises(AttemptTimedOut), time_limit(0.05, tmp_path / "s"):
        body()
    assert cleaned == [True]


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_a_block_in_time_goes_through(tmp_path: Path, seconds: float | None) -> None:
    with time_limit(seconds, tmp_path / "s"):
        done = True
    assert done


@pytest.mark.parametrize("ends", ["in time", "too late", "with an error"])
def test_afterwards_handler_timer_and_files_are_as_they_were(tmp_path: Path, ends: str) -> None:
    def mine(_signum: int, _frame: object) -> None:
        raise AssertionError("never rung")

    before = signal.signal(signal.SIGALRM, mine)
    try:
        try:
            with time_limit(0.05 if ends == "too late" else 60, tmp_path / "s"):
                if ends == "too late":
                    time.sleep(60)
                if ends == "with an error":
                    raise ValueError("mine")
        except (AttemptTimedOut, ValueError):
            pass
        assert signal.getsignal(signal.SIGALRM) is mine
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert list(tmp_path.iterdir()) == []
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_error_of_the_block_is_the_blocks_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), time_limit(60, tmp_path / "s"):
        raise ValueError("mine")


def test_in_another_thread_there_is_no_limit_and_no_error(tmp_path: Path) -> None:
    said: list[str] = []

    def body() -> None:
        with time_limit(0.001, tmp_path / "s"):
            said.append(repr(signal.getitimer(signal.ITIMER_REAL)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert said == ["(0.0, 0.0)"]


HARD = """
import sys
from pathlib import Path
from vaportrail.execution import deadline

deadline.GRACE_SECONDS = 0.3
with deadline.time_limit(0.1, Path(sys.argv[1])):
    {body}
print("went on")
"""

CASES = {
    "holds the interpreter lock": "sum(range(10**12))",
    "eats the interruption": (
        "\n    while True:"
        "\n        try:"
        "\n            import time; time.sleep(60)"
        "\n        except BaseException:"
        "\n            pass"
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_process_that_does_not_hear_is_ended_with_its_stacks_written_down(
    tmp_path: Path, case: str
) -> None:
    stacks = tmp_path / "stacks"
    script = HARD.format(body=CASES[case])
    done = subprocess.run(
        [sys.executable, "-c", script, str(stacks)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "went on" not in done.stdout
    assert "Timeout" in stacks.read_text()
    assert 'File "<string>"' in stacks.read_text()


def test_what_is_kept_after_a_task_is_kept_also_where_the_disk_takes_no_stacks(tmp_path: Path) -> None:
    with keeping_limit(60, tmp_path / "gone" / "s"):
        pass
