"""An embedded Ray on this machine: on loopback only, token auth on, gone with the run."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["embedded_ray"]

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
    folder = tempfile.mkdtemp(prefix="vtray-")
    settings = {**_ENVIRONMENT, "RAY_AUTH_TOKEN": secrets.token_hex(32), "PYTHONPATH": _search_path()}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    import ray

    try:
        ray.init(
            address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False,
            configure_logging=False, _temp_dir=folder,
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
        shutil.rmtree(folder, ignore_errors=True)


def _search_path() -> str:
    """Return what workers need on `PYTHONPATH` to import what this process can import."""
    entries = [os.path.abspath(entry) for entry in sys.path]
    installed = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    return os.pathsep.join(dict.fromkeys(e for e in entries if not e.startswith(installed)))


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
