"""Python processes of the run's code that live on past its end: told, since nobody records them then.

A child that was started by a program's name finds in its environment whose child it is; one that was
forked has its parent's. Only Linux shows another process's environment; elsewhere none is found.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from vaportrail.contract import RunSettings
from vaportrail.telemetry.children import CHILD_VARIABLE
from vaportrail.telemetry.recorder import Recorder

__all__ = ["LEFT_CHILDREN", "left_children", "own_forks", "tell_left_children"]

LEFT_CHILDREN: Final = (
    "processes of the run's code that lived on past its end: what they said after it is not recorded"
)
T = TypeVar("T")

_PROCESSES: Final = Path("/proc")
_GRACE_SECONDS: Final = 1.0
"""How long those that are just about to end are waited for."""
_LOOK_SECONDS: Final = 0.05
_PARENT: Final = 1
"""Which field of `/proc/<pid>/stat` it is, after the state, which is the first after the name."""


def tell_left_children(recorder: Recorder, before: frozenset[int]) -> None:
    """Write `not_captured` for the child processes that outlive their run.

    Args:
        recorder: the run's.
        before: what `own_forks` returned before the run.
    """
    deadline = time.monotonic() + _GRACE_SECONDS
    while left := left_children(recorder.settings, before):
        if time.monotonic() > deadline:
            recorder.not_captured(LEFT_CHILDREN, len(left))
            return
        time.sleep(_LOOK_SECONDS)


def own_forks() -> frozenset[int]:
    """Return the pids of this process's children that still run this very program, as after `os.fork()`."""
    own = _program(os.getpid())
    return frozenset(pid for pid in _pids() if _parent(pid) == os.getpid() and _program(pid) == own)


def left_children(settings: RunSettings, before: frozenset[int] = frozenset()) -> list[int]:
    """Return the pids of a run's child processes that are still alive, and that could say something.

    Args:
        settings: the run, whose tasks and body have ended.
        before: what `own_forks` returned before the run.
    """
    named = f"{CHILD_VARIABLE}=".encode()
    spool = json.dumps(f"{settings.spool}/")[:-1].encode()
    started = [pid for pid in _pids() if _is_python(pid) and _has(pid, named, spool)]
    return sorted({*started, *(own_forks() - before)})


def _has(pid: int, *texts: bytes) -> bool:
    environment = _read(pid, lambda folder: (folder / "environ").read_bytes())
    return any(all(text in each for text in texts) for each in (environment or b"").split(b"\0"))


def _is_python(pid: int) -> bool:
    program = _read(pid, lambda folder: (folder / "exe").readlink())
    return program is not None and "python" in program.name


def _program(pid: int) -> bytes | None:
    """Return a process's command line; None where it has ended."""
    return _read(pid, lambda folder: (folder / "cmdline").read_bytes()) or None


def _parent(pid: int) -> int | None:
    stat = _read(pid, lambda folder: (folder / "stat").read_bytes())
    # A program's name may hold anything, also brackets and spaces.
    return int(stat.rpartition(b")")[2].split()[_PARENT]) if stat else None


def _read(pid: int, read: Callable[[Path], T]) -> T | None:
    with suppress(OSError):  # it has just ended, or is another user's
        return read(_PROCESSES / str(pid))
    return None


def _pids() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(each.name) for each in os.scandir(_PROCESSES) if each.name.isdigit())
