"""A real API server and its etcd, on free ports of the loopback, in a folder of their own.

Tests with it are marked `api_server` and run by `make e2e`, which builds the programs.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.cluster.parts import path_of
from free_ports import free_ports

__all__ = ["CRD", "SCHEDULES_CRD", "ApiServer", "api_server"]

REPOSITORY = Path(__file__).parents[1]
CRD = REPOSITORY / "charts" / "vaportrail" / "files" / "pipelineruns.vaportrail.dev.yaml"
SCHEDULES_CRD = CRD.with_name("pipelineschedules.vaportrail.dev.yaml")
_ESTABLISHED_SECONDS = 60
_NAMES = ("kube-apiserver", "etcd", "kubectl")
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
)


class ApiServer:
    """The API server; it can be killed and started again with what it had stored.

    Args:
        folder: for its keys, its store and its log.
        controllers: whether Kubernetes' own run beside it, those that need no node: what collects garbage,
            ends namespaces, counts quotas and makes ServiceAccounts. Without them a pod needs none of these.
    """

    def __init__(self, folder: Path, *, controllers: bool = False) -> None:
        self._folder, self._controllers = folder, controllers
        self._programs = {name: path_of(name) for name in _NAMES}
        self._etcd, self._peer, self.port = free_ports(3)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.audit = folder / "audit.log"
        self.kubeconfig = folder / "kubeconfig"
        self.operators_kubeconfig = folder / "operators-kubeconfig"
        """Of the user `operator`, who has only the rights that are bound to it."""
        self._write_keys()

    def start(self) -> None:
        """Start what does not run; returns once it is ready."""
        if "etcd" not in self._processes:
            self.spawn("etcd", *self._etcd_arguments())
        if "kube-apiserver" not in self._processes:
            self.spawn("kube-apiserver", *self._api_arguments())
        deadline = time.monotonic() + 90
        while not self._ready():
            assert time.monotonic() < deadline, (self._folder / "kube-apiserver.log").read_text()[-4000:]
            time.sleep(0.2)
        if self._controllers and "kube-controller-manager" not in self._processes:
            self.spawn("kube-controller-manager", *self._controller_arguments())

    def stop_api(self) -> None:
        """Kill the API server; its store goes on."""
        process = self._processes.pop("kube-apiserver")
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl; returns what it printed."""
        command = [str(self._programs["kubectl"]), f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=_plain())
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        """Run kubectl with `-o json`."""
        return json.loads(self.kubectl(*words, "-o", "json"))

    def apply(self, paths: Iterable[Path]) -> None:
        """Create custom resources, and wait until they are served."""
        for path in paths:
            self.kubectl("apply", "--server-side", "-f", str(path))
            # `kubectl wait` gives up where there are no conditions yet, or they are null.
            deadline = time.monotonic() + _ESTABLISHED_SECONDS
            while not self._established(path):
                assert time.monotonic() < deadline, self.kubectl("get", "-o", "yaml", "-f", str(path))
                time.sleep(0.2)

    def _established(self, path: Path) -> bool:
        conditions = self.json("get", "-f", str(path)).get("status", {}).get("conditions") or []
        return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)

    def namespace(self, name: str) -> None:
        """Make a namespace."""
        self.kubectl("create", "namespace", name)

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked of it so far, as its audit log says."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def spawn(self, name: str, *arguments: str) -> None:
        """Start a program that works on it as the administrator; it ends with it."""
        environment = {**_plain(), "KUBECONFIG": str(self.kubeconfig)}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(path_of(name)), *arguments], stdout=log, stderr=log, env=environment
            )

    def _ready(self) -> bool:
        command = [str(self._programs["kubectl"]), f"--kubeconfig={self.kubeconfig}", "get", "--raw=/readyz"]
        assert self._processes["kube-apiserver"].poll() is None, "the API server ended"
        return subprocess.run(command, capture_output=True, env=_plain()).returncode == 0

    def _write_keys(self) -> None:
        key, public = self._folder / "sa.key", self._folder / "sa.pub"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        subprocess.run(
            ["openssl", "rsa", "-in", str(key), "-pubout", "-out", str(public)],
            check=True,
            capture_output=True,
        )
        tokens = {user: secrets.token_hex(16) for user in ("admin", "operator")}
        (self._folder / "tokens.csv").write_text(
            f"{tokens['admin']},admin,admin,system:masters\n{tokens['operator']},operator,operator\n"
        )
        (self._folder / "audit.yaml").write_text(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
            "rules: [{level: Metadata}]\n"
        )
        for path, user in ((self.kubeconfig, "admin"), (self.operators_kubeconfig, "operator")):
            path.write_text(json.dumps(self._kubeconfig(tokens[user])))

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        certificate = str(self._folder / "certificates" / "apiserver.crt")
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": certificate}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }

    def _etcd_arguments(self) -> list[str]:
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        return [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_arguments(self) -> list[str]:
        folder = self._folder
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            f"--cert-dir={folder / 'certificates'}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'sa.pub'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            *([] if self._controllers else ["--disable-admission-plugins=ServiceAccount"]),
            f"--audit-policy-file={folder / 'audit.yaml'}",
            f"--audit-log-path={self.audit}",
        ]

    def _controller_arguments(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--leader-elect=false",
            "--secure-port=0",
        ]


@contextmanager
def api_server(folder: Path, *, controllers: bool = False) -> Iterator[ApiServer]:
    """Run an API server with nothing in it.

    Args:
        folder: for its keys, its store and its log.
        controllers: whether Kubernetes' own run beside it.
    """
    server = ApiServer(folder, controllers=controllers)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
