"""An embedded Ray on this machine: on loopback only, token auth on, gone with the run."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from vaportrail.execution.attempt import SCRATCH_VARIABLE
from vaportrail.execution.ray_session import RAY_ENVIRONMENT, connect, quiet, session_folder
from vaportrail.execution.variables import variables

__all__ = ["embedded_ray"]

_ENVIRONMENT = {
    **RAY_ENVIRONMENT,
    # Binds every server to 127.0.0.1; Ray uses the switch for single-node use off Linux.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # A lost worker's own children go with it.
    "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper": "true",
}


@contextmanager
def embedded_ray(*, cpus: int | None = None) -> Iterator[None]:
    """Start Ray in this process's own session folder, and remove both at the end.

    Args:
        cpus: how many CPUs Ray may hand out; all of them unless given.
    """
    with session_folder() as folder:
        settings = {
            **_ENVIRONMENT,
            "RAY_AUTH_TOKEN": _token(),
            "PYTHONPATH": _search_path(),
            SCRATCH_VARIABLE: str(folder / "scratch"),
        }
        with variables(settings):
            import ray

            try:
                connect(address="local", num_cpus=cpus, include_dashboard=False, _temp_dir=str(folder))
                with quiet():
                    yield
            finally:
                ray.shutdown()


@lru_cache(maxsize=1)
def _token() -> str:
    """Return this process's token: Ray reads it once, so a second run must go on with it."""
    return secrets.token_hex(32)


def _search_path() -> str:
    """Return what workers need on `PYTHONPATH` to import what this process can import."""
    entries = [os.path.abspath(entry) for entry in sys.path]
    installed = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    return os.pathsep.join(dict.fromkeys(e for e in entries if not e.startswith(installed)))
