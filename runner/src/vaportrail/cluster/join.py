"""Joining a Ray cluster from a host that offers it nothing but a place for the driver."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from vaportrail.errors import VaportrailError
from vaportrail.execution.ray_environment import RAY_ENVIRONMENT
from vaportrail.telemetry.redact import redactor

__all__ = ["Join", "JoinFailed"]

_POLL_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 0.05
_REPLY_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.5
_STORE_BYTES: Final = 128 * 2**20
"""For what the pipeline's body itself asks for and hands on; Ray spills what is more to disk."""
_ALIVE: Final = 0
"""Ray's `GcsNodeInfo.ALIVE`."""
_SAID_CHARACTERS: Final = 600
_PORTS: Final = (
    "node-manager-port",
    "object-manager-port",
    "runtime-env-agent-port",
    "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port",
    "metrics-export-port",
)
"""Chosen by us: a node whose agents choose for themselves waits until they have told it."""


class JoinFailed(VaportrailError):
    """The Ray cluster could not be joined; the message says what was tried."""


class Join:
    """Makes this host a node of a Ray cluster, in the background, from `start` on.

    Args:
        head: host name of the cluster's head; it need not be known yet.
        port: of the head's GCS.
        seconds: how long to try.
        folder: for Ray's session on this host; short, since sockets lie in it.
        clock: nanoseconds since the epoch.
    """

    def __init__(
        self, head: str, port: int, seconds: float, folder: Path, clock: Callable[[], int] = time.time_ns
    ) -> None:
        # One of IPv6 may be given as it stands in a URL, and Ray wants it so.
        head = head.removeprefix("[").removesuffix("]")
        self.address = f"[{head}]:{port}" if ":" in head else f"{head}:{port}"
        self.folder = folder
        self._head, self._port = head, port
        self._seconds = seconds
        self._clock = clock
        self._node: subprocess.Popen[bytes] | None = None
        self._manager_port = 0
        self._over = threading.Event()
        self._left = False
        self._joined = 0
        self._trouble = "it was not asked yet"

    def start(self) -> None:
        """Begin; returns at once."""
        self._node = self._spawn()
        threading.Thread(target=self._join, name="vaportrail-join", daemon=True).start()

    def wait(self) -> int:
        """Wait until this host is a node; return since when, in nanoseconds since the epoch.

        Raises:
            JoinFailed: the time is over.
        """
        while not self._over.wait(_LOOK_SECONDS):
            pass  # a signal that the system gives to another thread does not wake this one
        if not self._joined:
            raise JoinFailed(
                f"no Ray cluster was joined within {self._seconds:g} s: head {self.address} {self._trouble}"
            )
        return self._joined

    def leave(self) -> None:
        """End Ray's processes on this host, at once."""
        self._left = True
        if self._node is not None:
            _end(self._node)

    def _join(self) -> None:
        deadline = time.monotonic() + self._seconds
        try:
            while time.monotonic() < deadline and not self._left:
                if self.responds():
                    self._trouble = "answers, but Ray's processes did not start here"
                    if self._start_node(deadline):
                        self._joined = self._clock()
                        return
                else:
                    time.sleep(_POLL_SECONDS)
        except Exception as fault:  # what a thread raises is heard by nobody
            self._trouble = f"answers, but joining it failed: {type(fault).__name__}: {fault}"
        finally:
            self._over.set()

    def responds(self) -> bool:
        """Return whether the head's GCS takes connections."""
        try:
            socket.create_connection((self._head, self._port), timeout=_REPLY_SECONDS).close()
        except OSError as error:
            known = "has no address yet" if isinstance(error, socket.gaierror) else "cannot be reached"
            self._trouble = f"{known}: {error}"
            return False
        return True

    def _start_node(self, deadline: float) -> bool:
        """Let `ray start` begin and wait for its end; return whether this host is a node then."""
        if self._node is None:
            self._node = self._spawn()
        node = self._node
        assert node.stdin is not None
        with suppress(BrokenPipeError):
            node.stdin.write(b"\n")
            node.stdin.close()
        registered = _registration(self.address, self._manager_port)
        while time.monotonic() < deadline and not self._left:
            # `ray start` itself looks once a second only.
            if registered() or node.poll() == 0:
                return True
            if node.poll() is not None:
                break
            time.sleep(_LOOK_SECONDS)
        self._trouble = f"answers, but `ray start` did not succeed here: {self._said()}"
        _end(node)
        self._node = None
        time.sleep(_AGAIN_SECONDS)
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._manager_port = ports["node-manager-port"]
        options = [
            f"--address={self.address}",
            "--num-cpus=0",
            "--num-gpus=0",
            f"--object-store-memory={_STORE_BYTES}",
            "--include-log-monitor=false",
            "--disable-usage-stats",
            "--log-style=record",
            f"--temp-dir={self.folder}",
            # Any: the default's ports may be another node's, where hosts are shared.
            "--min-worker-port=0",
            "--max-worker-port=0",
            *(f"--{name}={port}" for name, port in ports.items()),
        ]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "vaportrail.cluster.ray_node", *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **RAY_ENVIRONMENT},
                start_new_session=True,
            )

    @property
    def _log(self) -> Path:
        return self.folder / "ray-start.log"

    def _said(self) -> str:
        """Return the end of what `ray start` printed, on one line and without secrets."""
        text = self._log.read_text(errors="replace")
        redact = redactor(os.environ)
        # Before the cut, which would leave the end of one.
        text = " ".join((text if redact is None else redact(text)).split())
        return f"…{text[-_SAID_CHARACTERS:]}" if len(text) > _SAID_CHARACTERS else text or "it said nothing"


def _registration(address: str, port: int) -> Callable[[], bool]:
    """Return what says whether the head knows the node of this host whose manager listens at a port.

    Ray has no public way to ask without being a driver; where this one is gone, `ray start` tells.
    """
    try:
        from ray._raylet import GcsClient  # type: ignore[attr-defined]

        client = GcsClient(address=address)
    except Exception:
        return lambda: False
    host = socket.gethostname()

    def registered() -> bool:
        try:
            nodes = client.get_all_node_info(timeout=_REPLY_SECONDS).values()
            return any(
                (node.node_manager_hostname, node.node_manager_port, node.state) == (host, port, _ALIVE)
                for node in nodes
            )
        except Exception:
            return False

    return registered


def _end(node: subprocess.Popen[bytes]) -> None:
    # `ray start` may have ended, but what it started is of its process group.
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
