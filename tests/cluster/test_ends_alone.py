"""A Ray head ends by itself when its time is over, or nobody drives it any more."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vaportrail.cluster.head_guard import drivers, guard


class Clock:
    """Time that passes only as somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


def ended(
    found: list[int | None],
    *,
    ends_at: float = 0.0,
    join_seconds: float = 0.0,
    ahead: float = 0.0,
    until: float = 1e5,
) -> tuple[str, float]:
    """Return why and when a guard ends its head: it sees these numbers of drivers, the last for ever.

    Its host's clock is set once it has begun, by so many seconds.
    """
    clock = Clock()
    looks = iter(found)
    last: list[int | None] = [None]

    def drivers() -> int | None:
        last[0] = next(looks, last[0])
        return last[0]

    why = guard(
        ends_at=ends_at,
        join_seconds=join_seconds,
        drivers=drivers,
        now=lambda: clock.now + (ahead if clock.now > 1000.0 else 0.0),
        clock=lambda: clock.now,
        wait=clock.wait,
        look_seconds=300.0,
        wanted=lambda: clock.now < until,
    )
    return why, clock.now - 1000.0


def test_a_head_ends_as_its_time_is_over() -> None:
    assert ended([1], ends_at=5000.0) == ("its time is over", 4000.0)


def test_a_head_without_a_driver_ends_after_two_looks() -> None:
    why, after = ended([1, 0, 0])
    assert why == "no driver is there any more"
    assert after == pytest.approx(900.0, abs=30.0)


def test_a_head_waits_for_its_first_driver_as_long_as_the_run_may() -> None:
    assert ended([0], join_seconds=1800.0)[1] == pytest.approx(2100.0, abs=30.0)


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_clock_that_is_set_meanwhile_does_not_change_how_long_a_driver_is_waited_for(ahead: float) -> None:
    assert ended([0], join_seconds=1800.0, ahead=ahead)[1] == pytest.approx(2100.0, abs=30.0)


@pytest.mark.parametrize("found", [[1], [0, 1, 0, 1], [None], [0, None, 0, None]])
def test_a_head_that_is_driven_or_does_not_say_goes_on(found: list[int | None]) -> None:
    more = found if len(found) == 1 else found * 1000
    assert ended(more)[0] == ""


def test_what_the_shell_runs_is_ended_whether_the_shell_stays_or_not() -> None:
    for line in ("{guard} & exec sleep 1000", "{guard} & sleep 1000; echo done"):
        command = line.format(guard=f"{sys.executable} -m vaportrail.cluster.head_guard 1")
        environment = os.environ | {"VAPORTRAIL_ENDS_AT": "1", "VAPORTRAIL_JOIN_SECONDS": "60"}
        # As the first process of a container a shell takes no SIGTERM.
        shell = subprocess.Popen(["/bin/bash", "-c", f"trap : TERM; {command}"], env=environment)
        assert shell.wait(timeout=300) is not None


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a head, and nothing that drives it; Ray asks for a token, as in a run's pods."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
    folder = tmp_path_factory.mktemp("r")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--node-ip-address=127.0.0.1 --port={port} --num-cpus=1 --include-dashboard=false --block"
    ray = Path(sys.executable).with_name("ray")
    head = subprocess.Popen(
        [ray, "start", "--head", *options.split(), f"--temp-dir={folder}"], start_new_session=True
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()
        head.wait()


def test_a_real_head_says_whether_it_is_driven(address: str) -> None:
    port = int(address.rpartition(":")[2])
    program = """
import sys, time, ray
while True:
    try:
        ray.init(address=sys.argv[1], log_to_driver=False)
        break
    except Exception:
        time.sleep(1)
print("driving", flush=True)
sys.stdin.readline()
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", program, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert driver.stdout is not None
    assert driver.stdin is not None
    assert driver.stdout.readline() == b"driving\n"
    assert drivers(port) == 1
    driver.stdin.close()
    driver.stdout.close()
    driver.wait()
    deadline = time.monotonic() + 300
    while drivers(port) != 0:
        assert time.monotonic() < deadline
