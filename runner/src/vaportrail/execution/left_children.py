"""Python processes of the run's code that live on past its end: told, since nobody records them then.

A child that was started by a program's name finds in its environment whose child it is; one that was
forked, however often, holds its run's spool open for writing. Only Linux shows either; elsewhere none
is found.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.children import CHILD_VARIABLE, end_reusable_processes
from vaportrail.telemetry.recorder import Recorder

__all__ = ["LEFT_CHILDREN", "left_children", "tell_left_children"]

T = TypeVar("T")

LEFT_CHILDREN: Final = (
    "processes of the run's code that lived on past its end: what they said after it is not recorded"
)
_PROCESSES: Final = Path("/proc")
_GRACE_SECONDS: Final = 1.0
"""How long those that are just about to end are waited for."""
_LOOK_SECONDS: Final = 0.05
_WORKER: Final = b"ray::"
_TRACKER: Final = b"resource_tracker"
"""It is started for a mere lock or a shared memory, and says nothing."""


def tell_left_children(recorder: Recorder, *, own_ray: bool) -> None:
    """Write `not_captured` for the child processes that outlive their run, of which this is the driver.

    Args:
        recorder: the run's.
        own_ray: whether Ray has ended with the run; else its workers may be on this machine.
    """
    deadline = time.monotonic() + _GRACE_SECONDS
    if left := left_children(recorder.settings, own_ray=own_ray):
        # They wait for work that none of this run's code gives them any more.
        end_reusable_processes(left)
    while left := left_children(recorder.settings, own_ray=own_ray):
        if time.monotonic() > deadline:
            recorder.not_captured(LEFT_CHILDREN, len(left))
            return
        time.sleep(_LOOK_SECONDS)


def left_children(settings: RunSettings, *, own_ray: bool) -> frozenset[int]:
    """Return the pids of a run's child processes that are alive, and that could say something."""
    spool = f"{settings.spool}/"
    said = (f"{CHILD_VARIABLE}=".encode(), json.dumps(spool)[:-1].encode())
    pids = _pythons((_TRACKER,) if own_ray else (_TRACKER, _WORKER))
    return frozenset(pid for pid in pids if _was_started(pid, said) or _holds(pid, spool))


def _pythons(others: tuple[bytes, ...]) -> Iterator[int]:
    """Yield the pids of other processes of this user that run Python, without those that are called so."""
    names: list[str] = []
    with suppress(OSError):
        names = [each.name for each in os.scandir(_PROCESSES) if each.name.isdigit()]
    for pid in map(int, names):
        program = _read(pid, lambda folder: (folder / "exe").readlink())
        if pid != os.getpid() and program is not None and "python" in program.name:
            line = _read(pid, lambda folder: (folder / "cmdline").read_bytes())
            if line and not any(name in line for name in others):
                yield pid


def _was_started(pid: int, said: tuple[bytes, ...]) -> bool:
    environment = _read(pid, lambda folder: (folder / "environ").read_bytes())
    return any(all(text in each for text in said) for each in (environment or b"").split(b"\0"))


def _holds(pid: int, spool: str) -> bool:
    files = _read(pid, lambda folder: list((folder / "fd").iterdir())) or []
    for file in files:
        with suppress(OSError):  # it was closed meanwhile
            # Whoever reads along, such as `vaportrail logs`, is no child.
            if str(file.readlink()).startswith(spool) and _writes(file):
                return True
    return False


def _writes(file: Path) -> bool:
    said = (file.parents[1] / "fdinfo" / file.name).read_text().split()
    return int(said[said.index("flags:") + 1], 8) & os.O_ACCMODE != os.O_RDONLY


def _read(pid: int, read: Callable[[Path], T]) -> T | None:
    with suppress(OSError):  # it has just ended, or is another user's
        return read(_PROCESSES / str(pid))
    return None
