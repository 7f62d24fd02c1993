"""A driver's connection to Ray, to one of its own or to a cluster: quiet, typed, our signals kept."""

from __future__ import annotations

import fcntl
import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["RAY_ENVIRONMENT", "connect", "quiet", "session_folder"]

_PREFIX = "vtray-"
_LOCK = "alive.lock"
RAY_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""What Ray is told by environment variables, wherever a run is driven."""


@contextmanager
def session_folder() -> Iterator[Path]:
    """Make a folder for Ray's session; it goes with it, and so do those of sessions that were killed."""
    for stale in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        _remove_if_dead(stale)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        unlocked = folder / f"{_LOCK}.new"
        with unlocked.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            unlocked.rename(folder / _LOCK)  # seen by others only once it is held
            (folder / "scratch").mkdir()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(lock: Path) -> None:
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    except OSError:  # alive, another user's, or just gone
        return


def connect(**arguments: Any) -> None:
    """Make this process a driver, silently; `arguments` are those of `ray.init`."""
    import ray

    with _own_sigterm():
        ray.init(log_to_driver=False, configure_logging=False, **arguments)


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Put the handler of SIGTERM back: `ray.init` takes it, to leave at once."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Ray's notices of lost workers off the terminal: the record and we say them, typed.

    `log_to_driver=False` covers the workers' output only; the notices have no switch of their own.
    """
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *args, **kwargs: None
    # It says of each value that cannot be loaded what it also raises, which we tell.
    loading = logging.getLogger("ray._private.serialization")
    loading.disabled, told = True, loading.disabled
    try:
        yield
    finally:
        worker.print_to_stdstream = before
        loading.disabled = told
