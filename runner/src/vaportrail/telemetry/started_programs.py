"""Programs that the pipeline's body starts on its own standard output: told, since nobody records them.

The body shares its descriptors with the terminal, and so do the programs that inherit them. Which do
is seen where they are started, whatever starts them. CPython has no way to take an audit hook out:
there is one for the life of the process, which outside a body does nothing.
"""

from __future__ import annotations

import _posixsubprocess
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from vaportrail.errors import SpoolError
from vaportrail.telemetry.active_recorder import active

__all__ = ["PROGRAMS", "report_started_programs"]

PROGRAMS: Final = (
    "programs and spawned processes that the pipeline's body started on its own standard output or error: "
    "what they printed is not recorded"
)
_STARTS: Final = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"})
_STDOUT, _STDERR = 9, 11
"""Which arguments of `_posixsubprocess.fork_exec` are a child's standard output and error."""

_shown: tuple[os.stat_result, ...] | None = None
"""What the body's own standard output and error are; None outside a body."""
_is_hooked = False


@contextmanager
def report_started_programs() -> Iterator[None]:
    """Write `not_captured` for each program that starts in the block and may print beside the record."""
    global _shown, _is_hooked
    if not _is_hooked:
        sys.addaudithook(_audit)
        _is_hooked = True
    _shown = tuple(found for fd in (1, 2) if (found := _stat(fd)) is not None)
    before: Any = _posixsubprocess.fork_exec
    spawning: Any = _reporting(before)
    _posixsubprocess.fork_exec = spawning
    try:
        yield
    finally:
        _shown = None
        if _posixsubprocess.fork_exec is spawning:
            _posixsubprocess.fork_exec = before


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _STARTS and _shown is not None and _prints_beside(event, sys._getframe(1)):
        _tell()


def _prints_beside(event: str, starts: FrameType) -> bool:
    """Return whether what starts may print where nobody records; where that cannot be seen, it may."""
    if event == "subprocess.Popen":
        streams = [starts.f_locals.get(name, -1) for name in ("c2pwrite", "errwrite")]
        return any(map(_is_shown, streams))
    if event == "os.posix_spawn":  # `subprocess` has told of its own
        return starts.f_globals.get("__name__") != subprocess.__name__
    if event == "os.exec":  # most often in a fork, which may have turned its descriptors
        return any(map(_is_shown, (1, 2)))
    return True


def _reporting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return what `multiprocessing` and joblib start processes by, which no audit event tells of."""

    def fork_exec(*arguments: Any) -> Any:
        streams = (arguments[_STDOUT], arguments[_STDERR])
        if _shown is not None and any(map(_is_shown, streams)) and not _is_tracker(sys._getframe(1)):
            _tell()
        return method(*arguments)

    return fork_exec


def _is_tracker(frame: FrameType | None) -> bool:
    # It prints nothing, and is started for a mere lock.
    for _ in range(3):
        if frame is None:
            return False
        if str(frame.f_globals.get("__name__")).endswith(".resource_tracker"):
            return True
        frame = frame.f_back
    return False


def _is_shown(fd: int) -> bool:
    """Return whether a child's descriptor is one of the body's own; -1 is inherited."""
    if fd < 0:
        return True
    found = _stat(fd)
    if found is None or os.path.samestat(found, os.stat(os.devnull)):
        return False
    return any(os.path.samestat(found, own) for own in _shown or ())


def _stat(fd: int) -> os.stat_result | None:
    try:
        return os.fstat(fd)
    except OSError:  # it is closed
        return None


def _tell() -> None:
    recorder = active()
    if recorder is not None:
        # A disk that is full keeps no program from starting; the ledger has counted the record.
        with suppress(OSError, SpoolError):
            recorder.not_captured(PROGRAMS)
