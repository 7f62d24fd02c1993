"""Ends a Ray head that nobody needs any more: its time is over, or no driver is there though one should be.

It runs beside `ray start`, whatever becomes of the operator: workers end when their head is gone, and a head
that ends is not made again once the cluster was complete. It asks Ray itself, on its own host, whether a
driver is there, so no policy of the network can end a run that goes on; where Ray does not answer, it waits.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from vaportrail.contract.pod_environment import ENDS_VARIABLE, JOIN_VARIABLE

__all__ = ["drivers", "guard", "main"]

_LOOK_SECONDS = 300.0
_MISSING_LOOKS = 2
"""How often in a row no driver may be seen: one that is just about to begin, or to be followed, is none."""
_ANSWER_SECONDS = 60.0
_TURN_SECONDS = 10.0
_ASK = """
import sys
from ray._raylet import GcsClient
client = GcsClient(address=sys.argv[1])
jobs = client.get_all_job_info(
    skip_submission_job_info_field=True, skip_is_running_tasks_field=True, timeout=20
)
sys.stdout.write(str(sum(not job.is_dead for job in jobs.values())))
"""


def main() -> None:
    """Watch the head that the parent of this process starts."""
    port = int(sys.argv[1])
    parent = os.getppid()
    why = guard(
        ends_at=float(os.environ.get(ENDS_VARIABLE) or 0),
        join_seconds=float(os.environ.get(JOIN_VARIABLE) or 0),
        drivers=lambda: drivers(port),
        now=time.time,
        clock=time.monotonic,
        wait=time.sleep,
        wanted=lambda: os.getppid() == parent,
    )
    if why:
        sys.stderr.write(f"the Ray head is ended: {why}\n")
        end(parent)


def guard(
    *,
    ends_at: float,
    join_seconds: float,
    drivers: Callable[[], int | None],
    now: Callable[[], float],
    clock: Callable[[], float],
    wait: Callable[[float], None],
    look_seconds: float = _LOOK_SECONDS,
    wanted: Callable[[], bool] = lambda: True,
) -> str:
    """Wait until the head has to end; returns why, or ``""`` if it ended by itself.

    Args:
        ends_at: seconds since 1970 at which its time is over; 0: never.
        join_seconds: after how many a driver should be there.
        drivers: returns how many are; None where nobody says.
        now: the time, in seconds since 1970.
        clock: monotonic seconds: what is set while it waits ends no run that goes on.
        wait: waits for so many seconds.
        look_seconds: between two looks for a driver.
        wanted: whether there still is a head.
    """
    missing, next_look = 0, clock() + max(join_seconds, look_seconds)
    while wanted():
        if ends_at and now() >= ends_at:
            return "its time is over"
        if clock() >= next_look:
            found = drivers()
            missing = missing + 1 if found == 0 else 0
            if missing >= _MISSING_LOOKS:
                return "no driver is there any more"
            next_look = clock() + look_seconds
        wait(min(_TURN_SECONDS, look_seconds))
    return ""


def drivers(port: int) -> int | None:
    """Return how many drivers the head of this host has; None where it does not say.

    In a process of its own: Ray's client takes more memory than all of this one.

    Args:
        port: that the head listens at, on one of the host's addresses.
    """
    hosts = ["127.0.0.1"]
    with suppress(OSError):
        hosts.insert(0, socket.gethostbyname(socket.gethostname()))
    answers = (_asked(f"{host}:{port}") for host in hosts)
    return next((answer for answer in answers if answer is not None), None)


def _asked(address: str) -> int | None:
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK, address],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_ANSWER_SECONDS,
            check=True,
        )
        return int(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def end(parent: int) -> None:
    """End `ray start`: it is the parent itself, or a child of the shell that is.

    As the first process of its container a shell takes no signal that it has no handler for.
    """
    for process in (parent, *_children(parent)):
        if process != os.getpid():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGTERM)


def _children(parent: int) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                # The name of the program may hold anything, a parenthesis too.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    yield int(folder.name)


if __name__ == "__main__":
    main()
