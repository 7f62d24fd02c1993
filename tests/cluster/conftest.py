"""A real head of a Ray cluster on this machine, runners that join it as a pod's would, a run to watch."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cluster.stored_runs import Stored, stored

from conftest import CLI
from free_ports import free_ports
from vaportrail.contract.pod_messages import RunReport
from vaportrail.contract.run_identity import RunIdentity
from vaportrail.record.reading.read import open_run
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.seal.local_seal import seal_spool
from vaportrail.record.settings import spool_settings
from vaportrail.storage import layout

if TYPE_CHECKING:
    from tests.conftest import Sealed

DEADLINE = 60
CREATED = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Head:
    """A head that runs, and what one needs to join it."""

    port: int
    token: str


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """The head of a Ray cluster, which runs the tasks itself. It ends with the tests."""
    there = Head(free_ports(1)[0], secrets.token_hex(32))
    # Not pytest's own folder: the paths of Ray's sockets are bounded.
    folder = tempfile.mkdtemp(prefix="vthead-")
    command = [
        str(CLI.with_name("ray")),
        "start",
        "--head",
        "--block",
        f"--port={there.port}",
        "--num-cpus=2",
    ]
    command += ["--include-dashboard=false", "--include-log-monitor=false", "--disable-usage-stats"]
    command += [f"--temp-dir={folder}", f"--object-store-memory={80 * 2**20}"]
    # Any port: others of this machine's Rays would take the same.
    command += ["--min-worker-port=0", "--max-worker-port=0"]
    env = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": there.token}
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(there.port, process, Path(folder, "log"))
        yield there
    finally:
        # Its workers end when it does.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@dataclass
class Runner:
    """A runner's process, as the pod's container would be."""

    uid: str
    folder: Path
    process: subprocess.Popen[str]
    out: str = ""
    err: str = ""

    @property
    def spool(self) -> Path:
        return self.folder / "spool" / self.uid

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def end(self) -> int:
        """Wait for its end; return the exit code."""
        self.out, self.err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode

    @property
    def report(self) -> RunReport:
        return RunReport.model_validate_json((self.folder / "answer").read_text())

    def sealed(self) -> Run:
        """Seal what it left in its spool, as the parts of it would be, and open the record."""
        seal_spool(self.spool, root=str(self.root), keep_spool=True)
        return open_run(str(Path(self.root, spool_settings(self.spool).path)))

    def said(self, words: str) -> None:
        """Wait until it prints a line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if words in line:
                return
        raise AssertionError(f"it ended: {self.process.communicate()}")


@dataclass
class Runners:
    """Starts runners in a folder, and ends what is left of them."""

    folder: Path
    code: Path
    started: list[Runner] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    def __call__(
        self,
        cluster: Head,
        parameters: dict[str, Any] | None = None,
        /,
        *,
        environment: dict[str, str] | None = None,
        **request: Any,
    ) -> Runner:
        uid = request.get("identity", {}).get("uid") or str(uuid.uuid4())
        place = self.folder / str(len(self.started))
        place.mkdir(parents=True)
        asked = {
            "identity": {
                "uid": uid,
                "pipeline": "flow",
                "name": "my-run",
                "created_unix_nano": CREATED,
                "parameters": parameters or {},
                "tags": {"team": "vision"},
                "entrypoint": "flow:flow",
            },
            "root": str(place / "root"),
            "head": "127.0.0.1",
            "gcs_port": cluster.port,
            **request,
        }
        asked["path"] = layout.run_path(RunIdentity(**asked["identity"]))
        self.folders.append(tempfile.mkdtemp(prefix="vtjoin-"))
        env = {
            **os.environ,
            "VAPORTRAIL_RUN_REQUEST": json.dumps(asked),
            "VAPORTRAIL_SPOOL": str(place / "spool"),
            "VAPORTRAIL_TERMINATION_MESSAGE": str(place / "answer"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": cluster.token,
            "TMPDIR": self.folders[-1],
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        process = subprocess.Popen(
            [str(CLI), "runner"],
            cwd=self.code,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(Runner(uid, place, process))
        return self.started[-1]

    def close(self) -> None:
        for runner in self.started:
            if runner.process.poll() is None:
                # At the second it ends Ray's processes, too.
                runner.process.terminate()
                runner.process.terminate()
                runner.process.communicate(timeout=DEADLINE)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runners]:
    """Starts runners whose working folder, the image's, holds the pipeline `flow`."""
    made = Runners(tmp_path_factory.mktemp("runners"), Path(__file__).parent / "image")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def run(small: Sealed, tmp_path: Path) -> Stored:
    """The small run, to be stored in a folder."""
    return stored(str(tmp_path / "root"), small)
