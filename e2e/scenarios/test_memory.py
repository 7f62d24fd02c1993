"""A container over its memory limit is killed, and the pod's status says so."""

from __future__ import annotations

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.ended import wait_until_ended
from e2e.scenarios.objects import pod, pod_spec, python, ray_container

GROW = """
print("grows", flush=True)
held = [bytearray(1 << 20) for _ in range(256)]
print("grown", len(held))
"""
TRIES = 3
"""containerd may hear of a container's end before it hears of what killed it: the reason is `Error` then."""
WRITE = """
print("writes", flush=True)
with open("/dev/shm/file", "wb") as file:
    for _ in range(128):
        file.write(bytes(1 << 20))
print("written")
"""


def test_a_container_over_its_limit_is_killed_for_memory(kubectl: Kubectl) -> None:
    kubectl.create(pod("greedy", pod_spec(python("main", GROW, memory="64Mi"))))

    ended = wait_until_ended(kubectl, "greedy")

    assert (ended.reason, ended.exit_code, ended.log) == ("OOMKilled", 137, "grows\n")


@pytest.mark.parametrize(
    ("memory", "reason", "log"),
    [
        ("64Mi", "OOMKilled", "writes\n"),
        ("256Mi", "Completed", "writes\nwritten\n"),
    ],
)
def test_what_lies_in_shared_memory_counts_as_memory(
    kubectl: Kubectl, memory: str, reason: str, log: str
) -> None:
    writing = ray_container("main", memory=memory, command=["python3", "-c", WRITE])

    ends = []
    for number in range(TRIES):
        kubectl.create(pod(f"writer-{number}", pod_spec(writing)))
        ended = wait_until_ended(kubectl, f"writer-{number}")
        assert (ended.exit_code, ended.log) == (137 if reason == "OOMKilled" else 0, log)
        if ended.reason == reason:
            return
        ends.append(ended.reason)
    pytest.fail(f"they ended {ends}, not {reason}")
