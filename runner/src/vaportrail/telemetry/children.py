"""Child processes log into the attempt that started them, whichever way they were started.

A forked child has all in its memory. Any other finds in its environment whose child it is, and writes
a spool of its own as soon as it logs something. The variable holds no more than a path and the
attempt's ids; the run's settings lie in the spool, which only its user can read.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Final

from vaportrail.contract.run_identity import RunSettings
from vaportrail.errors import SpoolError
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.json_template import Holes, JsonTemplate

__all__ = [
    "CHILD_VARIABLE",
    "adopt",
    "child_variables",
    "end_reusable_processes",
    "is_child",
    "no_child",
]

CHILD_VARIABLE: Final = "VAPORTRAIL_CHILD_OF"
_SETTINGS: Final = "children.json"
_LIMIT: Final = 16 << 20

_written = ""
"""The last run's settings that this process knows to be in their spool."""


def child_variables(settings: RunSettings, scope: AttemptScope | None) -> dict[str, str]:
    """Return the environment by which child processes log into an attempt.

    Args:
        settings: the run; they are written into its spool, once.
        scope: the attempt; None for the pipeline's body.

    Raises:
        SpoolError: the disk is full or gone.
    """
    global _written
    path = f"{settings.spool}{os.sep}{_SETTINGS}"
    if path != _written and not os.path.exists(path):
        try:
            _write_private(Path(path), settings.to_json())
        except OSError as error:
            raise SpoolError(settings.spool, error.strerror or str(error)) from error
    _written = path
    if scope is None:
        return {CHILD_VARIABLE: json.dumps({"settings": path, "scope": None})}
    fields = scope.fields()
    if scope.deadline_unix_nano is None:
        fields["deadline_unix_nano"] = "null"
    return {CHILD_VARIABLE: _template(path).fill(**fields)}


@lru_cache(maxsize=4)
def _template(path: str) -> JsonTemplate:
    """Return what says whose child a process is, for the attempts of a run, by the path of its settings."""

    def make(holes: Holes) -> str:
        scope = AttemptScope(
            task_id=holes.text("task_id"),
            task_name=holes.text("task_name"),
            attempt=holes.number("attempt"),
            span_id=holes.text("span_id"),
            deadline_unix_nano=holes.number("deadline_unix_nano"),
            scratch=holes.text("scratch"),
        )
        return json.dumps({"settings": path, "scope": scope.fields()})

    return JsonTemplate(make, encode_basestring_ascii)


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    partial.replace(path)


def is_child() -> bool:
    """Return whether this process's environment says that it is a child of a run."""
    return CHILD_VARIABLE in os.environ


@contextmanager
def no_child() -> Iterator[None]:
    """Be nobody's child in the block: a run that a task's child starts is a run of its own."""
    before = os.environ.pop(CHILD_VARIABLE, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[CHILD_VARIABLE] = before


def adopt() -> RunSettings | None:
    """Take on the attempt that the environment names; return the run's settings.

    None where it names none, or where the run's spool is not to be had: on another machine, in another
    container, after its seal, or where somebody else could have written it.
    """
    try:
        said = json.loads(os.environ[CHILD_VARIABLE])
        path = Path(said["settings"])
        settings = RunSettings.from_json(_read_private(path))
        scope = None if said["scope"] is None else AttemptScope(**said["scope"])
    except (KeyError, TypeError, ValueError, OSError):
        return None
    if Path(settings.spool) != path.parent:
        return None
    set_attempt_scope(scope, settings)
    return settings


def _read_private(path: Path) -> str:
    for place in (path.parent, path):
        found = place.lstat()
        if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(f"{place} is not this user's alone")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd) as file:
        return file.read(_LIMIT)


def end_reusable_processes(among: Set[int] | None = None) -> None:
    """End what makes child processes for later calls, too: those may be another attempt's.

    joblib keeps its workers, and `multiprocessing` the server that forks for it.

    Args:
        among: the pids of those that may be ended; None for all.
    """

    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    if server is not None:
        with suppress(Exception):
            # It ends by itself only when nobody holds its pipe any more, which forked children do.
            if server._forkserver_pid is not None and (among is None or server._forkserver_pid in among):
                os.kill(server._forkserver_pid, signal.SIGKILL)
                server._stop()
    for name in ("joblib.externals.loky.reusable_executor", "loky.reusable_executor"):
        pool = getattr(sys.modules.get(name), "_executor", None)
        if pool is not None:
            with suppress(Exception):
                if among is None or not among.isdisjoint(pool._processes):
                    pool.shutdown(wait=True, kill_workers=True)
