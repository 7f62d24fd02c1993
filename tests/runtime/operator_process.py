"""The operator's process, what is asked of it, and what is there in its cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from api_server import CRD, ApiServer
from free_ports import free_ports
from runtime.small_planner import run_of

__all__ = ["SYSTEM", "Operator", "Team", "chart_rules", "create", "grant", "until"]

SYSTEM = "vaportrail-system"
_RULES = CRD.parents[1] / "templates" / "_rules.tpl"
_RESOURCE = "pipelineruns.vaportrail.dev"
_OVER = {"Succeeded", "Failed", "Cancelled"}


class Operator:
    """The operator, which can be killed and started again as the same pod.

    Args:
        server: that it works on, as a user with the rights that are granted to it.
        log: where its log goes.
        variables: further settings.
    """

    def __init__(self, server: ApiServer, log: Path, **variables: str) -> None:
        self._server, self.log = server, log
        self._variables = variables
        self.command = [sys.executable, "-m", "vaportrail_operator"]
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        (self.port,) = free_ports(1)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "KUBECONFIG": str(self._server.operators_kubeconfig),
            "VAPORTRAIL_OPERATOR_IMAGE": "example.invalid/operator:1",
            "VAPORTRAIL_COLLECTOR_IMAGE": "example.invalid/collector:1",
            "VAPORTRAIL_NAMESPACE": SYSTEM,
            "VAPORTRAIL_POD_NAME": "vaportrail-0",
            "VAPORTRAIL_PORT": str(self.port),
            **self._variables,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=environment, stderr=log, stdout=log)

    def start_if_ended(self) -> None:
        """Start it again as the kubelet does: it ends when it could not renew its Lease for long."""
        if self._running.poll() is not None:
            self.start()

    def kill(self) -> None:
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it do nothing for a while, as a machine that is out of memory does."""
        self._running.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._running.send_signal(signal.SIGCONT)

    def ended(self) -> int | None:
        """Return its exit status; None while it goes on."""
        return self._running.poll()

    def kill_if_running(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()

    def stop(self) -> int:
        """Tell it to stop; returns its exit status."""
        self._running.send_signal(signal.SIGTERM)
        return self._running.wait(timeout=30)

    def get(self, path: str) -> tuple[int, str]:
        """Return what its port answers; 0 where it does not."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def until_ready(self, seconds: float = 60) -> None:
        until(lambda: self.get("readyz")[0] == 200, self.tail, seconds)

    def leads(self) -> bool:
        """Return whether it holds the Lease."""
        return "vaportrail_leader 1.0" in self.get("metrics")[1]

    def memory(self) -> float:
        """Return the process's resident memory in MB."""
        resident: float = psutil.Process(self._running.pid).memory_info().rss / 1e6
        return resident

    def processor_seconds(self) -> float:
        """Return what the process has used of a processor so far."""
        times = psutil.Process(self._running.pid).cpu_times()
        return float(times.user + times.system)

    def complaints(self) -> list[dict[str, Any]]:
        """Return the lines of its log that are warnings or worse."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line["level"] not in ("info", "debug")]

    def tail(self) -> str:
        return self.log.read_text()[-4000:]

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process


class Team:
    """A namespace with runs in it.

    Args:
        server: where it is made.
        name: of the namespace.
    """

    def __init__(self, server: ApiServer, name: str) -> None:
        self._server, self.name = server, name
        server.namespace(name)

    def submit(self, *names: str, **spec: Any) -> None:
        """Make runs, all in one call."""
        runs = [run_of(name, **spec) for name in names]
        for run in runs:
            run["metadata"]["namespace"] = self.name
        create(self._server, *runs)

    def delete(self, name: str) -> None:
        self._server.kubectl("-n", self.name, "delete", _RESOURCE, name)

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._server.json("-n", self.name, "get", _RESOURCE, name)
        status: dict[str, Any] = found.get("status", {})
        return status

    def phases(self) -> Counter[str]:
        """Return how many runs are in each phase."""
        runs = self._server.json("-n", self.name, "get", _RESOURCE)["items"]
        return Counter(run.get("status", {}).get("phase", "") for run in runs)

    def until_over(self, operator: Operator, seconds: float = 120) -> None:
        """Wait until every run has ended."""
        until(lambda: set(self.phases()) <= _OVER, lambda: self._told() + operator.tail(), seconds)

    def left(self) -> list[str]:
        """Return what there is beside runs."""
        kinds = "pods,services,secrets,rayclusters.ray.io"
        return self._server.kubectl("-n", self.name, "get", kinds, "-o", "name").split()

    def births(self, path: str) -> Callable[[], Counter[str]]:
        """Return what tells, by name, how often objects of a kind were made from now on.

        Not by the audit log: what a client asked for that was killed meanwhile is made all the same, and
        the log says of it that it timed out (504), or nothing.

        Args:
            path: of the kind and its API group, such as `api/v1` and `pods`.
        """
        group, _, plural = path.rpartition("/")
        place = f"/{group}/namespaces/{self.name}/{plural}"
        since = json.loads(self._server.kubectl("get", "--raw", place))["metadata"]["resourceVersion"]

        def births() -> Counter[str]:
            watch = f"{place}?watch=1&resourceVersion={since}&timeoutSeconds=3"
            events = [json.loads(line) for line in self._server.kubectl("get", "--raw", watch).splitlines()]
            assert {event["type"] for event in events} <= {"ADDED", "MODIFIED", "DELETED"}, events
            return Counter(
                event["object"]["metadata"]["name"] for event in events if event["type"] == "ADDED"
            )

        return births

    def _told(self) -> str:
        runs = self._server.json("-n", self.name, "get", _RESOURCE)["items"]
        running = [run for run in runs if run.get("status", {}).get("phase", "") not in _OVER]
        return yaml.safe_dump(
            [{"name": run["metadata"]["name"], **run.get("status", {})} for run in running]
        )[:4000]


def create(server: ApiServer, *objects: dict[str, Any]) -> None:
    """Create objects."""
    together = {"apiVersion": "v1", "kind": "List", "items": objects}
    server.kubectl("create", "-f", "-", stdin=json.dumps(together))


def grant(server: ApiServer, namespace: str | None, name: str, rules: list[dict[str, Any]]) -> None:
    """Give the operator's user rights in a namespace, or everywhere."""
    group, prefix = "rbac.authorization.k8s.io", "" if namespace else "Cluster"
    about = {
        "apiVersion": f"{group}/v1",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
    }
    reference = {"apiGroup": group, "kind": f"{prefix}Role", "name": name}
    user = {"apiGroup": group, "kind": "User", "name": "operator"}
    create(
        server,
        {**about, "kind": f"{prefix}Role", "rules": rules},
        {**about, "kind": f"{prefix}RoleBinding", "roleRef": reference, "subjects": [user]},
    )


def chart_rules() -> list[dict[str, Any]]:
    """Return what the chart lets the operator do in a namespace that it serves."""
    text = "\n".join(line for line in _RULES.read_text().splitlines() if not line.startswith("{{"))
    rules: list[dict[str, Any]] = yaml.safe_load(text)
    return rules


def until(condition: Callable[[], bool], told: Callable[[], object], seconds: float = 120) -> None:
    """Wait for something that only asking can tell.

    Args:
        condition: what is waited for.
        told: says what is there instead, should it not come.
        seconds: how long to wait.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)
