"""An embedded Ray on this machine: on loopback only, token auth on, gone with the run."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from vaportrail.execution.attempt import SCRATCH_VARIABLE

__all__ = ["embedded_ray"]

_PREFIX = "vtray-"
_LOCK = "alive.lock"
_ENVIRONMENT = {
    # Binds every server to 127.0.0.1; Ray uses the switch for single-node use off Linux.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A lost worker's own children go with it.
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",
}


@contextmanager
def embedded_ray(*, cpus: int | None = None) -> Iterator[None]:
    """Start Ray in this process's own session folder, and remove both at the end.

    Args:
        cpus: how many CPUs Ray may hand out; all of them unless given.
    """
    with _session_folder() as folder, _started(folder, cpus):
        yield


@contextmanager
def _session_folder() -> Iterator[Path]:
    """Make a folder for the session; it goes with it, and so do those of sessions that were killed."""
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


@contextmanager
def _started(folder: Path, cpus: int | None) -> Iterator[None]:
    settings = {
        **_ENVIRONMENT,
        "RAY_AUTH_TOKEN": _token(),
        "PYTHONPATH": _search_path(),
        SCRATCH_VARIABLE: str(folder / "scratch"),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    import ray

    try:
        with _own_sigterm():
            ray.init(
                address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False,
                configure_logging=False, _temp_dir=str(folder),
            )  # fmt: skip
        with _quiet_ray():
            yield
    finally:
        ray.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@lru_cache(maxsize=1)
def _token() -> str:
    """Return this process's token: Ray reads it once, so a second run must go on with it."""
    return secrets.token_hex(32)


def _search_path() -> str:
    """Return what workers need on `PYTHONPATH` to import what this process can import."""
    entries = [os.path.abspath(entry) for entry in sys.path]
    installed = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    return os.pathsep.join(dict.fromkeys(e for e in entries if not e.startswith(installed)))


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
def _quiet_ray() -> Iterator[None]:
    """Keep Ray's notices of lost workers off the terminal: the record and we say them, typed.

    `log_to_driver=False` covers the workers' output only; the notices have no switch of their own.
    """
    from ray._private import worker

    before = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *args, **kwargs: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before
