"""The manifests of what is made for a run."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from tests.planning.kuberay import ray_start_options, worker_pod
from tests.planning.runs import SETTINGS, UID, a_run, observed

from pod_security import violations
from vaportrail.contract.outcome import Outcome
from vaportrail.contract.pod_environment import DRAIN_VARIABLE
from vaportrail.contract.pod_messages import RunRequest, SealRequest
from vaportrail.shipper import __main__
from vaportrail_operator.planning.children.collector import collector_pod
from vaportrail_operator.planning.children.raycluster import ray_cluster
from vaportrail_operator.planning.children.runner import runner_pod
from vaportrail_operator.planning.children.sealer import seal_request, sealer_pod
from vaportrail_operator.planning.children.table import CHILDREN, Child
from vaportrail_operator.planning.children.tokens import create_tokens
from vaportrail_operator.planning.types import Component

CLAIM = {"uri": "file:///records/ml", "persistentVolumeClaim": {"claimName": "records"}}
S3 = {
    "uri": "s3://runs/ml",
    "endpoint": "http://minio:9000",
    "region": "eu-1",
    "secretRef": {"name": "store"},
}
Spec = dict[str, Any]


def sealer(spec: Spec | None = None) -> Spec:
    run = a_run(spec)
    request = seal_request(run, SETTINGS, outcome=Outcome.FAILED, message="m", timeline=[], receipt=[])
    return sealer_pod(run, SETTINGS, request)


def head(spec: Spec | None = None) -> Spec:
    group: Spec = ray_cluster(a_run(spec), SETTINGS)["spec"]["headGroupSpec"]
    return group


def workers(spec: Spec | None = None) -> Spec:
    group: Spec = ray_cluster(a_run(spec), SETTINGS)["spec"]["workerGroupSpecs"][0]
    return group


def pods(spec: Spec | None = None) -> dict[str, Spec]:
    """Return the specifications of all pods of a run, by component."""
    run = a_run(spec)
    return {
        "runner": runner_pod(run, SETTINGS)["spec"],
        "collector": collector_pod(run, SETTINGS)["spec"],
        "sealer": sealer(spec)["spec"],
        "head": head(spec)["template"]["spec"],
        "worker": workers(spec)["template"]["spec"],
    }


def main(pod: Spec) -> Spec:
    container: Spec = pod["containers"][0]
    return container


def env(container: Spec) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


@pytest.mark.parametrize("record", [S3, CLAIM], ids=["s3", "claim"])
@pytest.mark.parametrize("component", ["runner", "collector", "sealer", "head", "worker"])
def test_every_pod_passes_pod_security_restricted(component: str, record: Spec) -> None:
    spec = {"record": record, "source": {"configMap": {"name": "code"}}, "serviceAccountName": "ml"}
    assert violations(pods(spec)[component]) == []


def test_what_kuberay_adds_to_a_worker_passes_too() -> None:
    assert violations(worker_pod(workers()["template"])) == []


@pytest.mark.parametrize(
    "child",
    [each for each in CHILDREN if each.make],
    ids=lambda each: f"{each.kind}-{each.component or each.made.name}",
)
def test_what_goes_with_its_run_is_what_its_row_says(child: Child) -> None:
    assert child.make is not None
    manifest = child.make(observed()).manifest
    owners = manifest["metadata"].get("ownerReferences", [])
    blocking = [each["uid"] for each in owners if each.get("controller") and each.get("blockOwnerDeletion")]
    assert blocking == ([UID] if child.owned else [])


def test_a_sealer_does_not_go_with_its_run() -> None:
    assert "ownerReferences" not in sealer()["metadata"]
    assert [each.owned for each in CHILDREN if each.component is Component.SEALER] == [False]


def test_a_secret_goes_as_both_its_run_and_the_collectors_service_are_gone() -> None:
    made = create_tokens(a_run())
    (run,) = made.manifest["metadata"]["ownerReferences"]
    assert (run["uid"], "controller" in run) == (UID, False)
    assert made.owner == ("Service", "mnist-0123abcd-collector")


def test_everything_carries_the_runs_uid() -> None:
    cluster = ray_cluster(a_run(), SETTINGS)
    head_service = cluster["spec"]["headGroupSpec"]["headService"]
    made = [
        cluster,
        head_service,
        head()["template"],
        workers()["template"],
        sealer(),
        runner_pod(a_run(), SETTINGS),
    ]
    assert {each["metadata"]["labels"]["vaportrail.dev/run-uid"] for each in made} == {UID}


def test_names_stay_within_kuberays_fifty_characters() -> None:
    run = a_run(name="n" * 40)
    assert len(ray_cluster(run, SETTINGS)["metadata"]["name"]) <= 50


@pytest.mark.parametrize(
    ("resources", "cpus"),
    [
        ({}, "1"),
        ({"requests": {"cpu": "2"}}, "2"),
        ({"requests": {"cpu": "500m"}}, "1"),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}, "4"),
    ],
)
def test_a_worker_offers_the_cpus_that_it_has(resources: Spec, cpus: str) -> None:
    group = workers({"ray": {"workers": [{"name": "cpu", "resources": resources}]}})
    assert ray_start_options(group)["num-cpus"] == cpus


def test_a_worker_that_only_requests_memory_offers_no_more_than_that() -> None:
    resources = {"requests": {"memory": "3Gi"}}
    group = workers({"ray": {"workers": [{"name": "cpu", "resources": resources}]}})
    assert ray_start_options(group)["memory"] == str(3 * 2**30)


def test_a_worker_group_offers_rays_own_resources() -> None:
    group = workers({"ray": {"workers": [{"name": "tpu", "rayResources": {"accelerator": 1}}]}})
    (told,) = shlex.split(ray_start_options(group)["resources"])
    assert json.loads(told)["accelerator"] == 1


def test_a_head_runs_no_tasks_and_no_process_that_nobody_needs() -> None:
    options = ray_start_options(head())
    assert (options["num-cpus"], options["include-dashboard"]) == ("0", "false")
    assert (options["include-log-monitor"], options["no-monitor"]) == ("0", "true")


def test_a_cluster_asks_for_a_token_whatever_rays_version_is_given() -> None:
    spec = ray_cluster(a_run(), SETTINGS)["spec"]
    assert spec["authOptions"] == {"mode": "token", "secretName": "mnist-0123abcd-tokens"}
    assert spec["rayVersion"] == "2.52.0"
    assert ray_cluster(a_run({"ray": {"version": "2.60.0"}}), SETTINGS)["spec"]["rayVersion"] == "2.60.0"


def test_a_head_is_not_made_again() -> None:
    annotations = ray_cluster(a_run(), SETTINGS)["metadata"]["annotations"]
    assert annotations["ray.io/disable-provisioned-head-restart"] == "true"
    assert {pod["restartPolicy"] for name, pod in pods().items() if name in ("head", "worker", "runner")} == {
        "Never"
    }


@pytest.mark.parametrize("component", ["runner", "head", "worker"])
def test_a_shipper_outlives_the_main_container_and_knows_nothing_of_the_store(component: str) -> None:
    pod = pods({"record": S3})[component]
    (__main__, *before) = pod["initContainers"]
    assert [each["name"] for each in before] == (["end-check"] if component == "worker" else [])
    assert __main__["restartPolicy"] == "Always"
    assert "envFrom" not in __main__
    assert env(__main__) == {
        "VAPORTRAIL_COLLECTOR": "http://mnist-0123abcd-collector:4318",
        "VAPORTRAIL_COLLECTOR_TOKEN": {
            "secretKeyRef": {"name": "mnist-0123abcd-tokens", "key": "otlp_token"}
        },
        "VAPORTRAIL_SPOOL": "/vaportrail/spool",
        "VAPORTRAIL_DRAIN_SECONDS": "60",
    }


@pytest.mark.parametrize("component", ["runner", "head", "worker"])
@pytest.mark.parametrize("seconds", [1, 10, 600])
def test_a_shipper_may_drain_as_long_as_is_said_and_ends_before_the_kubelet_ends_it(
    component: str, seconds: int
) -> None:
    pod = pods({"deadlines": {"drainSeconds": seconds}})[component]
    told = float(env(pod["initContainers"][0])[DRAIN_VARIABLE])
    assert told == seconds
    assert told < pod["terminationGracePeriodSeconds"]


def test_the_shipper_reads_the_variables_that_are_handed_over() -> None:
    read = {value for value in vars(__main__).values() if str(value).startswith("VAPORTRAIL_")}
    (sidecar,) = pods()["runner"]["initContainers"]
    assert read == env(sidecar).keys()


def test_the_runner_is_told_its_run() -> None:
    source = {"git": {"url": "https://example.com/x.git", "revision": "v1", "path": "code"}}
    spec = {"source": source, "parameters": {"text": "costs $(HOME) $5", "n": 1}}
    told = env(main(runner_pod(a_run(spec), SETTINGS)["spec"]))["VAPORTRAIL_RUN_REQUEST"]
    # The kubelet makes one $ of two, and replaces nothing.
    request = RunRequest.model_validate_json(told.replace("$$", "$"))
    assert request.identity.parameters == {"text": "costs $(HOME) $5", "n": 1}
    assert request.head == "mnist-0123abcd-head-svc"
    assert (request.root, request.path) == ("s3://runs/ml", "runs/mnist/20260102T030405Z-0123abcd")
    assert request.source.git is not None
    assert request.source.git.revision == "v1"


def test_a_configmap_is_mounted_as_source() -> None:
    pod = runner_pod(a_run({"source": {"configMap": {"name": "code"}}}), SETTINGS)["spec"]
    (mount,) = [each for each in main(pod)["volumeMounts"] if each["name"] == "vaportrail-source"]
    assert mount == {"name": "vaportrail-source", "mountPath": "/vaportrail/source", "readOnly": True}
    told = env(main(pod))["VAPORTRAIL_RUN_REQUEST"]
    assert RunRequest.model_validate_json(told).source.folder == "/vaportrail/source"


def test_the_runner_is_none_of_kuberays_pods() -> None:
    made = runner_pod(a_run({"podDefaults": {"labels": {"team": "a"}}}), SETTINGS)["metadata"]["labels"]
    assert not [name for name in made if name.startswith("ray.io/")]
    assert made["team"] == "a"


@pytest.mark.parametrize("component", ["runner", "head", "worker", "sealer"])
def test_a_users_volumes_and_ours_stand_side_by_side(component: str) -> None:
    names = ["tmp", "shm", "spool", "records", "source"]
    mine = {
        "volumes": [{"name": name, "emptyDir": {"sizeLimit": "1Mi"}} for name in names],
        "volumeMounts": [{"name": name, "mountPath": f"/mine/{name}"} for name in names],
    }
    sources = {"record": CLAIM, "source": {"configMap": {"name": "code"}}}
    pod = pods({**sources, "podDefaults": mine, "sealer": {"pod": mine}})[component]
    kept = [each for each in pod["volumes"] if each.get("emptyDir") == {"sizeLimit": "1Mi"}]
    assert [each["name"] for each in kept] == names
    ours = {each["name"] for each in pod["volumes"]} - set(names)
    assert all(name.startswith("vaportrail-") for name in ours)
    assert {each["name"] for each in main(pod)["volumeMounts"]} == ours | set(names)


def test_pod_defaults_and_a_components_own_settings_come_together() -> None:
    defaults = {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        "labels": {"team": "a", "tier": "x"},
        "tolerations": [{"key": "gpu"}],
        "priorityClassName": "low",
    }
    own = {
        "env": [{"name": "B", "value": "2"}],
        "labels": {"tier": "y"},
        "tolerations": [{"key": "spot"}],
        "priorityClassName": "high",
    }
    pod = runner_pod(a_run({"podDefaults": defaults, "runner": {"pod": own}}), SETTINGS)
    values = env(main(pod["spec"]))
    assert (values["A"], values["B"]) == ("1", "2")
    assert (pod["metadata"]["labels"]["team"], pod["metadata"]["labels"]["tier"]) == ("a", "y")
    assert pod["spec"]["tolerations"] == [{"key": "gpu"}, {"key": "spot"}]
    assert pod["spec"]["priorityClassName"] == "high"


def test_collector_and_sealer_take_no_placement() -> None:
    made = pods({"podDefaults": {"nodeSelector": {"gpu": "yes"}, "tolerations": [{"key": "gpu"}]}})
    assert "nodeSelector" in made["runner"]
    for component in ("collector", "sealer"):
        assert not {"nodeSelector", "tolerations"} & made[component].keys()


def test_the_sealer_is_told_the_run_and_ends_itself() -> None:
    pod = sealer({"deadlines": {"sealSeconds": 100}})
    request = SealRequest.model_validate_json(env(main(pod["spec"]))["VAPORTRAIL_SEAL_REQUEST"])
    assert (request.outcome, request.path) == (Outcome.FAILED, "runs/mnist/20260102T030405Z-0123abcd")
    assert request.environment == {"image": "acme/mnist:1", "namespace": "ml", "operator_version": "1.2.3"}
    assert (pod["spec"]["activeDeadlineSeconds"], pod["spec"]["restartPolicy"]) == (100, "OnFailure")
    assert main(pod["spec"])["image"] == SETTINGS.operator_image


def test_the_sealers_first_container_fixes_what_its_second_seals() -> None:
    pod = sealer({"record": S3})["spec"]
    (first,), second = pod["initContainers"], main(pod)
    folder = ["--folder", "/vaportrail/seal"]
    assert first["command"] == ["vaportrail", "seal-run", *folder, "--fix"]
    assert second["command"] == ["vaportrail", "seal-run", *folder]
    assert {name for name in first if first[name] != second.get(name)} == {"name", "command"}
    assert "restartPolicy" not in first
    assert {"name": "vaportrail-seal", "emptyDir": {}} in pod["volumes"]


def test_a_token_is_mounted_only_for_a_serviceaccount_that_is_given() -> None:
    assert {pod["automountServiceAccountToken"] for pod in pods().values()} == {False}
    given = pods({"serviceAccountName": "ml", "sealer": {"serviceAccountName": "sealer"}})
    assert {pod["serviceAccountName"] for name, pod in given.items() if name != "sealer"} == {"ml"}
    assert given["sealer"]["serviceAccountName"] == "sealer"


@pytest.mark.parametrize("component", ["runner", "head", "worker", "collector", "sealer"])
def test_no_secret_is_in_a_manifest(component: str) -> None:
    text = json.dumps(pods({"record": S3})[component])
    assert "AWS_ACCESS_KEY_ID" not in text
    assert "AWS_SECRET_ACCESS_KEY" not in text


def test_a_ray_node_that_is_told_to_end_does_not_wait_for_the_others() -> None:
    for name in ("head", "worker"):
        (main,) = pods()[name]["containers"]
        env = {each["name"]: each.get("value") for each in main["env"]}
        assert env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "0"
