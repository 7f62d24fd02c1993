"""A RayCluster that asks for a token, locked down, and a runner that joins it as a node without CPUs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from figure_log import record_figure

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.ended import wait_until_ended
from e2e.scenarios.objects import Object, pod, pod_spec, ray_cluster, ray_container, secret_variable

DRIVER = """
print("first line of the driver", flush=True)
import json, socket
import ray

ray.init(address="auto", logging_level="ERROR")

@ray.remote(num_cpus=1)
def host():
    return socket.gethostname()

hosts = sorted(set(ray.get([host.remote() for _ in range(20)])))
cpus = {node["NodeManagerHostname"]: node["Resources"].get("CPU", 0) for node in ray.nodes()}
print(json.dumps({"hosts": hosts, "cpus": cpus}))
"""
JOIN_AND_DRIVE = """
until ray start --address=$0-head-svc:6379 --num-cpus=0; do sleep 0.5; done
exec python3 -c "$1"
"""
ASK = ["ray", "status", "--address=ray-head-svc:6379"]


@dataclass(frozen=True)
class Driven:
    """A RayCluster `ray` and what a driver on it told."""

    kubectl: Kubectl
    told: dict[str, Any]
    ready_s: float
    first_line_s: float

    def hosts(self, kind: str) -> list[str]:
        """Return the names of the cluster's pods of a kind: head or worker."""
        found = self.kubectl.json("get", "pods", f"--selector=ray.io/cluster=ray,ray.io/node-type={kind}")
        return [each["metadata"]["name"] for each in found["items"]]


@pytest.fixture(scope="module")
def driven(shared_kubectl: Kubectl) -> Driven:
    """A RayCluster and a pod `runner`, created at the same moment, and the runner's end."""
    begun, clock = time.time(), time.monotonic()
    runner = ray_container(
        "main", command=["bash", "-c", JOIN_AND_DRIVE, "ray", DRIVER], env=_credentials("ray")
    )
    shared_kubectl.create(ray_cluster("ray"), pod("runner", pod_spec(runner)))
    shared_kubectl.wait("raycluster/ray", "jsonpath={.status.state}=ready", timeout=200)
    ready_s = time.monotonic() - clock
    ended = wait_until_ended(shared_kubectl, "runner")
    assert ended.exit_code == 0, ended.log
    # Ray's autoscaler may have something to say at any time.
    (told,) = (line for line in ended.log.splitlines() if line.startswith("{"))
    lines = shared_kubectl("logs", "runner", "--timestamps").splitlines()
    (first,) = (line.split()[0] for line in lines if line.endswith("first line of the driver"))
    return Driven(
        shared_kubectl,
        told=json.loads(told),
        ready_s=ready_s,
        # Pods and this machine have the same clock.
        first_line_s=datetime.fromisoformat(first).timestamp() - begun,
    )


@pytest.mark.smoke
def test_a_runner_that_is_created_with_its_cluster_joins_and_its_tasks_run_on_the_worker(
    driven: Driven,
) -> None:
    record_figure("raycluster_ready_s", driven.ready_s, "s")
    record_figure("runner_first_line_s", driven.first_line_s, "s")
    (head,), (worker,) = driven.hosts("head"), driven.hosts("worker")

    assert driven.told == {"hosts": [worker], "cpus": {head: 0, worker: 1, "runner": 0}}


def test_every_container_of_a_cluster_is_locked_down(driven: Driven) -> None:
    found = driven.kubectl.json("get", "pods", "--selector=ray.io/cluster=ray")["items"]
    specs = {each["metadata"]["name"]: each["spec"] for each in found}

    assert len(specs) == 2
    assert {name: _liberties(spec) for name, spec in specs.items()} == {name: [] for name in specs}


@pytest.mark.parametrize(
    "environment",
    [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "another"}],
    ids=["without a token", "with another token"],
)
def test_a_client_is_refused(driven: Driven, environment: dict[str, str], request: Any) -> None:
    name = re.sub(r"[^a-z]+", "-", request.node.callspec.id)
    env = [{"name": variable, "value": value} for variable, value in environment.items()]
    driven.kubectl.create(pod(name, pod_spec(ray_container("main", command=ASK, env=env))))

    ended = wait_until_ended(driven.kubectl, name)

    assert ended.exit_code == 1
    assert "AuthenticationError: RPC error: InvalidAuthToken" in ended.log


def test_a_client_with_the_token_is_answered(driven: Driven) -> None:
    client = ray_container("main", command=ASK, env=_credentials("ray"))
    driven.kubectl.create(pod("with-the-token", pod_spec(client)))

    ended = wait_until_ended(driven.kubectl, "with-the-token")

    assert (ended.exit_code, "1 workers" in ended.log) == (0, True)


def test_deleting_a_cluster_leaves_nothing_of_it(kubectl: Kubectl) -> None:
    kinds = "pods,services,secrets"
    kubectl.create(ray_cluster("ray"))
    kubectl.wait("raycluster/ray", "jsonpath={.status.state}=ready", timeout=200)
    there = kubectl.json("get", kinds)["items"]
    assert {each["kind"] for each in there} == {"Pod", "Service", "Secret"}

    kubectl("delete", "raycluster", "ray")

    kubectl("wait", kinds, "--all", "--for=delete", "--timeout=120s")
    assert kubectl("get", kinds, "--output=name") == ""


def _credentials(cluster: str) -> list[Object]:
    return [
        {"name": "RAY_AUTH_MODE", "value": "token"},
        secret_variable("RAY_AUTH_TOKEN", cluster, "auth_token"),
    ]


def _liberties(spec: Object) -> list[str]:
    """Return what the containers of a pod may do and need not."""
    context = spec["securityContext"]
    found = [] if context["runAsNonRoot"] and context["runAsUser"] else ["runs as root"]
    found += [] if context["seccompProfile"] == {"type": "RuntimeDefault"} else ["no seccomp profile"]
    found += [f"mounts {volume['name']}" for volume in spec["volumes"] if "emptyDir" not in volume]
    for each in [*spec.get("initContainers", []), *spec["containers"]]:
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        found += [] if each["securityContext"] == expected else [f"{each['name']}: {each['securityContext']}"]
    return found
