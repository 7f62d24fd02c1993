"""An embedded Ray on this machine: on loopback only, token auth on, gone with the run."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vaportrail.execution.attempt import SCRATCH_VARIABLE
from vaportrail.execution.ray_environment import ray_environment
from vaportrail.execution.ray_session import connect, disconnect, quiet, session_folder

__all__ = ["embedded_ray"]

_ENVIRONMENT = {
    # Binds every server to 127.0.0.1; Ray uses the switch for single-node use off Linux.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # No port that answers without the token: Ray goes on where this server cannot start.
    "AUTOSCALER_METRIC_PORT": "-1",
    # On a machine that is busy with other work Ray's own processes take longer than it waits for them.
    "RAY_agent_register_timeout_ms": "200000",
    "RAY_raylet_start_wait_time_s": "200",
    # Ray makes way for its own processes by a niceness of 15: beside other work a task would stand still.
    "RAY_worker_niceness": "0",
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
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "PYTHONPATH": _search_path(),
            SCRATCH_VARIABLE: str(folder.scratch),
        }
        with ray_environment(settings), quiet():
            try:
                with _bare():
                    connect(
                        address="local", num_cpus=cpus, include_dashboard=False, _temp_dir=str(folder.ray)
                    )
                yield
            finally:
                disconnect()


@contextmanager
def _bare() -> Iterator[None]:
    """Start no process of Ray's that nobody asks anything: each costs a second or two of a small machine.

    They are the dashboard, which Ray starts without its pages too, the monitor, which would make a
    cluster larger, and the one that prints workers' output. `ray.init` has no switch for them.
    """
    from ray._private.node import Node

    names = ("start_api_server", "start_monitor", "start_log_monitor")
    before = {name: getattr(Node, name) for name in names if hasattr(Node, name)}
    for name in before:
        setattr(Node, name, lambda *_arguments, **_options: None)
    try:
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _search_path() -> str:
    """Return what workers need on `PYTHONPATH` to import what this process can import."""
    entries = [os.path.abspath(entry) for entry in sys.path]
    installed = (sys.prefix + os.sep, sys.base_prefix + os.sep)
    return os.pathsep.join(dict.fromkeys(e for e in entries if not e.startswith(installed)))
