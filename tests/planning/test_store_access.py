"""Who has which key of the record's store, and how: user code by files only, the head not at all."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from tests.planning.runs import SETTINGS, a_run
from tests.planning.test_children import CLAIM, S3, env, main, pods, workers

from vaportrail.contract.pod_environment import STORE_FOLDER, WORKER_RESOURCE
from vaportrail.contract.store_access import StoreAccess
from vaportrail_operator.planning.children.raycluster import ray_cluster

Spec = dict[str, Any]
WRITER = {**S3, "writerSecretRef": {"name": "writer"}}
IDENTITY = {"uri": "s3://runs/ml", "region": "eu-1"}
BY_FILES = ["runner", "worker", "sealer"]
ALL = ["runner", "head", "worker", "collector", "sealer"]


def containers(pod: Spec) -> list[Spec]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def by_variables(pod: Spec) -> set[str]:
    """Return the Secrets that any container of a pod has as variables, all of them."""
    return {source["secretRef"]["name"] for each in containers(pod) for source in each.get("envFrom", [])}


def by_files(pod: Spec) -> set[str]:
    """Return the Secrets that a pod mounts."""
    return {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}


def access(container: Spec) -> StoreAccess:
    # The kubelet makes one $ of two.
    return StoreAccess.from_json(env(container)["VAPORTRAIL_STORE"].replace("$$", "$"))


@pytest.mark.parametrize("record", [S3, WRITER, IDENTITY, CLAIM])
@pytest.mark.parametrize("component", [name for name in ALL if name != "collector"])
def test_no_variable_of_a_provider_is_set_where_code_of_the_user_runs_or_the_sealer(
    component: str, record: Spec
) -> None:
    pod = pods({"record": record})[component]
    names = {name for each in containers(pod) for name in env(each)}
    assert not [name for name in names if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]
    assert not by_variables(pod)


@pytest.mark.parametrize("component", BY_FILES)
def test_the_main_container_finds_the_mounted_keys_and_the_address(component: str) -> None:
    pod = pods({"record": S3})[component]
    assert access(main(pod)) == StoreAccess(
        "s3://runs/ml", "http://minio:9000", "eu-1", "store", STORE_FOLDER
    )
    [name] = [volume["name"] for volume in pod["volumes"] if "secret" in volume]
    [mount] = [each for each in main(pod)["volumeMounts"] if each["name"] == name]
    assert mount == {"name": name, "mountPath": STORE_FOLDER, "readOnly": True}


def test_the_collector_has_its_exporters_variables() -> None:
    container = main(pods({"record": WRITER})["collector"])
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert env(container)["AWS_ENDPOINT_URL"] == "http://minio:9000"
    assert env(container)["AWS_REGION"] == "eu-1"


@pytest.mark.parametrize(("record", "of_code"), [(S3, "store"), (WRITER, "writer")])
def test_pods_with_user_code_have_the_writers_key_and_no_other(record: Spec, of_code: str) -> None:
    made = pods({"record": record})
    assert {name: by_files(pod) for name, pod in made.items()} == {
        "runner": {of_code}, "worker": {of_code}, "sealer": {"store"}, "head": set(), "collector": set()
    }  # fmt: skip
    assert {name for name, pod in made.items() if by_variables(pod)} == {"collector"}


@pytest.mark.parametrize("record", [S3, WRITER, IDENTITY, CLAIM])
def test_the_head_has_nothing_of_the_store(record: Spec) -> None:
    head = pods({"record": record})["head"]
    assert not by_files(head)
    assert "VAPORTRAIL_STORE" not in env(main(head))
    assert not [volume for volume in head["volumes"] if "persistentVolumeClaim" in volume]


@pytest.mark.parametrize("record", [S3, CLAIM])
@pytest.mark.parametrize("component", ["runner", "head", "worker"])
def test_a_shipper_has_nothing_of_the_store(component: str, record: Spec) -> None:
    containers = pods({"record": record})[component]["initContainers"]
    [shipper] = [each for each in containers if each["name"] == "shipper"]
    assert "envFrom" not in shipper
    assert {mount["mountPath"] for mount in shipper["volumeMounts"]} == {"/tmp", "/vaportrail/spool"}


@pytest.mark.parametrize("component", BY_FILES)
def test_an_identity_of_the_cloud_is_said_as_such(component: str) -> None:
    pod = pods({"record": IDENTITY})[component]
    assert access(main(pod)) == StoreAccess("s3://runs/ml", region="eu-1")
    assert not by_files(pod)


@pytest.mark.parametrize("component", ["runner", "worker", "collector", "sealer"])
def test_a_claim_is_mounted_where_the_record_is_and_no_key(component: str) -> None:
    pod = pods({"record": CLAIM})[component]
    claims = [volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    paths = {mount["name"]: mount["mountPath"] for mount in main(pod)["volumeMounts"]}
    assert [paths[name] for name in claims] == ["/records"]
    assert "VAPORTRAIL_STORE" not in env(main(pod))


@pytest.mark.parametrize("component", ["runner", "head", "worker"])
def test_the_users_own_variables_of_a_provider_are_left_as_they_are(component: str) -> None:
    own = [
        {"name": "AWS_ACCESS_KEY_ID", "value": "theirs"},
        {"name": "AWS_ENDPOINT_URL", "value": "https://x"},
    ]
    source = [{"secretRef": {"name": "data-keys"}}]
    container = main(pods({"record": S3, "podDefaults": {"env": own, "envFrom": source}})[component])
    assert [each for each in container["env"] if each["name"].startswith("AWS_")] == own
    assert container["envFrom"] == source


def test_each_worker_offers_what_keeps_tasks_from_the_head() -> None:
    group = workers({"ray": {"workers": [{"name": "w", "rayResources": {"accelerator": 2}}]}})
    offered = json.loads(shlex.split(group["rayStartParams"]["resources"])[0])
    assert offered == {"accelerator": 2, WORKER_RESOURCE: 1_000_000}
    assert "resources" not in ray_cluster(a_run(), SETTINGS)["spec"]["headGroupSpec"]["rayStartParams"]
