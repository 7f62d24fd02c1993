"""A native sidecar outlives the container it serves: it is told to end after that, and has time to drain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.ended import wait_until_ended
from e2e.scenarios.objects import pod, pod_spec, python, sidecar

FINALIZER = "vaportrail.dev/e2e-reads-the-status"
WORK = """
import pathlib, signal, sys, time

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
pathlib.Path("/tmp/works").touch()
if sys.argv[1:]:
    signal.sigwait({signal.SIGTERM})
with open("/tmp/spool", "w") as spool:
    for number in range(10):
        print(number, file=spool, flush=True)
        time.sleep(0.1)
    print("end", file=spool)
"""
"""Takes a second to write what it has; with an argument it begins when it is told to end."""
DRAIN = """
import json, pathlib, signal, time

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
pathlib.Path("/tmp/drains").touch()
signal.sigwait({signal.SIGTERM})
shipped = []
for line in pathlib.Path("/tmp/spool").read_text().split():
    time.sleep(0.2)
    shipped.append(line)
pathlib.Path("/dev/termination-log").write_text(json.dumps(shipped))
"""
"""Ships what is there when it is told to end, as slowly as a network may be."""
EVERYTHING = [*map(str, range(10)), "end"]


def _pod(*arguments: str, **metadata: Any) -> dict[str, Any]:
    """Return the pod `both`; it is ready when both would notice that they are told to end."""
    work = python("main", WORK, *arguments, readinessProbe=_exists("/tmp/works"))
    drain = sidecar(python("drain", DRAIN, startupProbe=_exists("/tmp/drains")))
    return pod("both", pod_spec(work, sidecars=(drain,)), **metadata)


def _exists(path: str) -> dict[str, Any]:
    return {"exec": {"command": ["ls", path]}, "periodSeconds": 1}


@pytest.fixture
def kept(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl, with which the pod `both` stays to be looked at after it was deleted and has ended."""
    yield kubectl
    kubectl("patch", "pod", "both", "--type=merge", '--patch={"metadata":{"finalizers":null}}')


def test_a_sidecar_drains_after_the_main_container_and_the_pod_succeeds(kubectl: Kubectl) -> None:
    kubectl.create(_pod())
    drained = wait_until_ended(kubectl, "both", "drain")
    kubectl.wait("pod/both", "jsonpath={.status.phase}=Succeeded")

    assert json.loads(drained.message) == EVERYTHING


def test_a_deleted_pods_sidecar_drains_after_the_main_container(kept: Kubectl) -> None:
    kept.create(_pod("until told", finalizers=[FINALIZER]))
    kept.wait("pod/both", "condition=Ready")

    kept("delete", "pod", "both", "--wait=false")

    drained = wait_until_ended(kept, "both", "drain", log=False)
    assert json.loads(drained.message) == EVERYTHING
