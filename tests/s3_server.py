"""One S3 server on loopback for all of pytest's processes: the first starts it, the last ends it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from free_ports import free_ports
from once import locked

KEYS = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "test-secret-key"}
_STARTED: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started: it may end before the last process that uses them."""


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment that reaches the server of this folder, with a bucket `records`."""
    folder.mkdir(exist_ok=True)
    said = folder / "server.json"
    with (folder / "users").open("ab") as users:
        with locked(folder / "lock"):
            if not said.exists():
                said.write_text(json.dumps(_start(folder)))
            # Each user holds a share of this lock; who gets all of it is the last one.
            fcntl.flock(users, fcntl.LOCK_SH)
        server = json.loads(said.read_text())
        try:
            yield server["env"]
        finally:
            with locked(folder / "lock"):
                if _is_last(users.fileno()):
                    said.unlink()
                    _end(server["pid"])


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(folder: Path) -> dict[str, object]:
    weed = Path(sys.executable).parent / "weed"
    config = {
        "identities": [
            {
                "name": "test",
                "credentials": [
                    {"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}
                ],
                "actions": ["Admin", "Read", "Write", "List"],
            }
        ]
    }
    (folder / "s3.json").write_text(json.dumps(config))
    ports = free_ports(8)
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
    names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
    command = [str(weed), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3"]
    command += [f"-s3.config={folder / 's3.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    # Of these two nobody needs more than one on a machine, and there are more.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    _STARTED[server.pid] = server
    env = {
        **KEYS,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[6]}",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    try:
        _make_bucket(env, "records", server, folder / "log")
    except BaseException:
        _end(server.pid)
        raise
    return {"pid": server.pid, "env": env}


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)  # it ignores SIGTERM for more than 20 s
    if pid in _STARTED:
        _STARTED.pop(pid).wait()


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
