"""A real API server for tests: etcd and kube-apiserver as processes on loopback, where they were built.

`make e2e` builds them; without them its tests are skipped.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from e2e.cluster.cache import cache_root

__all__ = ["api_server", "kubectl"]

_PATIENCE = 60.0


@contextmanager
def api_server(folder: Path) -> Iterator[Path]:
    """Run an API server with nothing in it; yields the administrator's kubeconfig."""
    etcd, server = _built("etcd", "etcd"), _built("kubernetes", "kube-apiserver")
    ports = _free_ports(3)
    client, peer = (f"http://127.0.0.1:{port}" for port in ports[:2])
    keys = folder / "keys"
    keys.mkdir()
    key, public = keys / "accounts.key", keys / "accounts.pub"
    _openssl("genrsa", "-out", str(key), "2048")
    _openssl("rsa", "-in", str(key), "-pubout", "-out", str(public))
    token = secrets.token_hex(16)
    (keys / "tokens.csv").write_text(f"{token},administrator,administrator,system:masters\n")
    with ExitStack() as stack:
        stack.enter_context(
            _running(
                folder / "etcd.log",
                etcd,
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            )
        )
        process = stack.enter_context(
            _running(
                folder / "api-server.log",
                server,
                f"--etcd-servers={client}",
                f"--cert-dir={keys}",
                f"--secure-port={ports[2]}",
                "--bind-address=127.0.0.1",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={key}",
                f"--token-auth-file={keys / 'tokens.csv'}",
                "--authorization-mode=RBAC",
            )
        )
        address = f"https://127.0.0.1:{ports[2]}"
        _wait_until_ready(address, token, process, folder / "api-server.log")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(address, keys / "apiserver.crt", token)))
        yield kubeconfig


def kubectl(kubeconfig: Path, *words: str) -> str:
    """Run kubectl and return what it printed."""
    command = [str(_built("kubernetes", "kubectl")), "--kubeconfig", str(kubeconfig), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def _built(part: str, program: str) -> Path:
    found = sorted(
        (cache_root() / "parts").glob(f"{part}-*/{program}"), key=lambda path: path.stat().st_mtime
    )
    if not found:
        pytest.skip(f"there is no {program} here; make e2e builds one")
    return found[-1]


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def _running(log: Path, program: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen([str(program), *arguments], stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(address: str, token: str, process: subprocess.Popen[bytes], log: Path) -> None:
    trusting = ssl._create_unverified_context()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
    )
    request = urllib.request.Request(f"{address}/readyz", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with opener.open(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API server is not ready: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)  # it has no other way to say that it is ready


def _kubeconfig(address: str, authority: Path, token: str) -> dict[str, object]:
    cluster = {"server": address, "certificate-authority": str(authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "administrator"}},
            {
                "name": "team",
                "context": {"cluster": "test", "user": "administrator", "namespace": "team"},
            },
        ],
        "current-context": "test",
    }
