"""A record on a PersistentVolumeClaim: the same seal, without an object store."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import vaportrail
from e2e.cluster.kubectl import Kubectl
from e2e.scenarios.inventory import inventory
from e2e.scenarios.objects import Object
from e2e.scenarios.runs import SMALL, apply, finished, pipeline_run, script_source
from vaportrail.record.verify import verify
from vaportrail.storage.store import open_store

pytestmark = [
    pytest.mark.usefixtures("operator"),
    pytest.mark.skipif(os.environ.get("E2E_CLUSTER") == "kind", reason="kind's node has folders of its own"),
]


@pytest.fixture
def folder(kubectl: Kubectl, administrator: Kubectl, tmp_path: Path) -> Iterator[Path]:
    """A folder of this machine behind the claim `records`."""
    name = f"records-{uuid.uuid4().hex[:8]}"
    tmp_path.chmod(0o777)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    administrator.create(_volume(name, tmp_path))
    kubectl.create(_claim(name))
    yield tmp_path
    kubectl("delete", "persistentvolumeclaim", "records", "--wait=false")
    administrator("delete", "persistentvolume", name, "--wait=false")


def test_a_record_on_a_volume_verifies_and_nothing_else_is_left(kubectl: Kubectl, folder: Path) -> None:
    kubectl.create(script_source("small", SMALL))
    before = inventory(kubectl)
    record = {"uri": "file:///records/ml", "persistentVolumeClaim": {"claimName": "records"}}
    apply(kubectl, pipeline_run("on-a-volume", script="small", record=record))
    status = finished(kubectl, "on-a-volume")

    assert status["phase"] == "Succeeded"
    uri = str(folder / status["record"]["uri"].removeprefix("file:///records/"))
    assert verify(open_store(uri), uri).problems == []
    assert vaportrail.open(uri).facts.counts.loss == "None"
    assert [task.id for task in vaportrail.open(uri).tasks] == ["square-1", "square-2", "square-3"]
    assert [path for path in (folder / "ml" / "spool").rglob("*") if path.is_file()] == []
    assert inventory(kubectl) - before == {"pipelinerun.vaportrail.dev/on-a-volume"}


def _volume(name: str, folder: Path) -> Object:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": name,
        "hostPath": {"path": str(folder)},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _claim(name: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": name,
        "volumeName": name,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "records"},
        "spec": spec,
    }
