"""Fixtures that several folders of tests use: the command line, sealed runs, a real S3 server.

Pipelines run in processes of their own, as a user's do: what Ray and OpenTelemetry set up in a
process can't be undone in it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from vaportrail.record.read import Run, open_run

collect_ignore_glob = ["pipelines/*", "typing/public_api.py"]

REPOSITORY = Path(__file__).parent.parent
PIPELINES = Path(__file__).parent / "pipelines"
CLI = Path(sys.executable).parent / "vaportrail"
MNIST = REPOSITORY / "examples" / "mnist" / "pipeline.py"
TIMEOUT = 240


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Finished]


def run_vaportrail(*args: object, cwd: Path, env: dict[str, str] | None = None) -> Finished:
    """Run the command line as a user does."""
    done = subprocess.run(
        [str(CLI), *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line, started in the test's own folder."""

    def run(*args: object, env: dict[str, str] | None = None) -> Finished:
        return run_vaportrail(*args, cwd=tmp_path, env=env)

    return run


@dataclass(frozen=True)
class Sealed:
    """A run that was made by the command line: its record, and its spool as it was at the seal."""

    root: Path
    uri: str
    sha256: str
    finished: Finished
    spool: Path

    @property
    def run(self) -> Run:
        return open_run(self.uri)

    @property
    def folder(self) -> Path:
        return Path(self.uri)


def make_run(root: Path, entrypoint: str, *args: object, env: dict[str, str] | None = None) -> Sealed:
    """Run a pipeline, keep a copy of its spool, and seal it."""
    root.mkdir(parents=True, exist_ok=True)
    finished = run_vaportrail(
        "run", entrypoint, "--record", root, "--json", "--keep-spool", *args, cwd=root, env=env
    )
    assert finished.out, finished.err
    said = finished.json
    spool = root / "spool" / said["uid"]
    return Sealed(root, said["uri"], said["sha256"], finished, spool)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """The MNIST example, run once for all tests. Never change its record: copy it."""
    return make_run(tmp_path_factory.mktemp("mnist"), f"{MNIST}:mnist")


@pytest.fixture(scope="session")
def failures(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A run in which tasks fail in every way there is. Never change its record: copy it."""
    return make_run(tmp_path_factory.mktemp("failures"), f"{PIPELINES / 'failures.py'}:failures")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """A small run that succeeds and logs one of everything. Never change its record: copy it."""
    return make_run(
        tmp_path_factory.mktemp("small"),
        f"{PIPELINES / 'small.py'}:small",
        "--tag",
        "team=vision",
        "-p",
        "size=3",
    )


@pytest.fixture
def small_copy(small: Sealed, tmp_path: Path) -> Path:
    """A copy of the small run's record that a test may damage."""
    copy = tmp_path / "runs" / "small" / small.folder.name
    shutil.copytree(small.folder, copy)
    return copy


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SeaweedFS S3 server on loopback with the bucket `records`; yields the environment to reach it."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    weed = Path(sys.executable).parent / "weed"
    keys = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "test-secret-key"}
    config = {
        "identities": [
            {
                "name": "test",
                "credentials": [
                    {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": keys["AWS_SECRET_ACCESS_KEY"]}
                ],
                "actions": ["Admin", "Read", "Write", "List"],
            }
        ]
    }
    (folder / "s3.json").write_text(json.dumps(config))
    ports = _free_ports(8)
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
    names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
    command = [str(weed), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3"]
    command += [f"-s3.config={folder / 's3.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    # Of these two nobody needs more than one on a machine, and there are more.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    env = {
        **keys,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[6]}",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    try:
        _make_bucket(env, "records", server, folder / "log")
        yield env
    finally:
        server.send_signal(signal.SIGKILL)  # it ignores SIGTERM for more than 20 s
        server.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _bucket(env: dict[str, str], name: str) -> S3Store:
    return S3Store(
        name,
        endpoint=env["AWS_ENDPOINT_URL"],
        region=env["AWS_REGION"],
        access_key_id=env["AWS_ACCESS_KEY_ID"],
        secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def _make_bucket(env: dict[str, str], name: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Create a bucket as soon as the server can: it answers before its volumes are there."""
    store = _bucket(env, name)
    deadline = time.monotonic() + 60
    while True:
        if server.poll() is not None:
            raise RuntimeError(f"SeaweedFS ended: {log.read_text()[-2000:]}")
        try:
            # The bucket's own URL is the empty key of its store: signing it makes a valid PUT.
            url = obstore.sign(store, "PUT", "", timedelta(minutes=1))
            request = urllib.request.Request(url, method="PUT")
            urllib.request.urlopen(request, timeout=5).close()
            obstore.put(store, "ready", b"ready")
            obstore.delete(store, "ready")
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
