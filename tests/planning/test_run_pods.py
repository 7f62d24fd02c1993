"""What the platform sets for the pods of all runs, what a run says over it, what every container asks for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.planning.runs import SETTINGS, a_run
from tests.planning.test_children import S3, env, main

from conftest import REPOSITORY
from pod_security import violations
from vaportrail.contract.outcome import Outcome
from vaportrail_operator.planning.children.collector import collector_pod
from vaportrail_operator.planning.children.raycluster import ray_cluster
from vaportrail_operator.planning.children.runner import runner_pod
from vaportrail_operator.planning.children.sealer import seal_request, sealer_pod
from vaportrail_operator.planning.run_pods import read_run_pods

Spec = dict[str, Any]
ALL = ["runner", "head", "worker", "collector", "sealer"]
PLATFORM = {
    "labels": {"cost-centre": "ml", "team": "platform"},
    "annotations": {"example.com/owner": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    },
    "priorityClassName": "batch",
    "imagePullSecrets": [{"name": "registry"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "matchLabelKeys": ["x"]}
    ],
    "caBundle": {"configMap": "trusted", "key": "bundle.pem"},
    "proxy": {"http": "http://proxy:3128", "https": "http://proxy:3129", "noProxy": ["10.0.0.0/8", ".corp"]},
}


def pods(spec: Spec | None = None, platform: Spec | None = None) -> dict[str, Spec]:
    """Return all pods of a run, or their templates, by component."""
    run = a_run({"record": S3, **(spec or {})})
    settings = replace(SETTINGS, run_pods=read_run_pods(json.dumps(platform or {})))
    request = seal_request(run, settings, outcome=Outcome.FAILED, message="m", timeline=[], receipt=[])
    cluster = ray_cluster(run, settings)["spec"]
    return {
        "runner": runner_pod(run, settings),
        "collector": collector_pod(run, settings),
        "sealer": sealer_pod(run, settings, request),
        "head": cluster["headGroupSpec"]["template"],
        "worker": cluster["workerGroupSpecs"][0]["template"],
    }


def containers(pod: Spec) -> list[Spec]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.parametrize("component", ALL)
def test_every_pod_of_a_run_has_the_installations_placement(component: str) -> None:
    pod = pods(platform=PLATFORM)[component]
    spec = pod["spec"]
    assert pod["metadata"]["labels"]["cost-centre"] == "ml"
    assert pod["metadata"]["annotations"]["example.com/owner"] == "platform"
    for name in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "imagePullSecrets"):
        assert spec[name] == PLATFORM[name]
    assert spec["priorityClassName"] == "batch"


@pytest.mark.parametrize("component", ALL)
def test_what_a_run_says_itself_counts_more(component: str) -> None:
    own = {
        "labels": {"team": "vision"},
        "nodeSelector": {"kubernetes.io/os": "other", "gpu": "yes"},
        "tolerations": [{"key": "gpu"}],
        "priorityClassName": "urgent",
        "imagePullSecrets": [{"name": "mine"}],
        "env": [{"name": "HTTPS_PROXY", "value": "http://mine:1"}],
    }
    run = {"podDefaults": own, "collector": {"pod": own}, "sealer": {"pod": own}}
    pod = pods(run, PLATFORM)[component]
    assert (pod["metadata"]["labels"]["team"], pod["metadata"]["labels"]["cost-centre"]) == ("vision", "ml")
    assert pod["spec"]["nodeSelector"] == own["nodeSelector"]
    assert pod["spec"]["tolerations"] == [*PLATFORM["tolerations"], {"key": "gpu"}]
    assert pod["spec"]["priorityClassName"] == "urgent"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": "mine"}]
    assert env(main(pod["spec"]))["HTTPS_PROXY"] == "http://mine:1"
    assert env(main(pod["spec"]))["https_proxy"] == "http://proxy:3129"


@pytest.mark.parametrize("component", ALL)
def test_the_platform_may_not_say_whose_a_pod_is(component: str) -> None:
    before, after = pods()[component], pods(platform=PLATFORM)[component]
    ours = before["metadata"]["labels"]
    assert ours.items() <= after["metadata"]["labels"].items()
    for name in ("vaportrail.dev/run-uid", "ray.io/cluster"):
        with pytest.raises(ValueError, match="the operator's or KubeRay's own"):
            read_run_pods(json.dumps({"labels": {name: "x"}}))


@pytest.mark.parametrize("component", ALL)
def test_every_container_trusts_the_platforms_authorities(component: str) -> None:
    pod = pods(platform=PLATFORM)[component]
    [volume] = [each for each in pod["spec"]["volumes"] if each["name"] == "vaportrail-ca"]
    assert volume["configMap"] == {"name": "trusted", "items": [{"key": "bundle.pem", "path": "ca.crt"}]}
    for container in containers(pod):
        [mount] = [each for each in container["volumeMounts"] if each["name"] == "vaportrail-ca"]
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            assert env(container)[name] == f"{mount['mountPath']}/ca.crt"


@pytest.mark.parametrize("component", ALL)
def test_every_container_goes_through_the_proxy_but_not_to_its_own_cluster(component: str) -> None:
    for container in containers(pods(platform=PLATFORM)[component]):
        said = env(container)
        assert said["HTTP_PROXY"] == said["http_proxy"] == "http://proxy:3128"
        assert said["HTTPS_PROXY"] == said["https_proxy"] == "http://proxy:3129"
        assert said["NO_PROXY"] == said["no_proxy"]
        without = said["NO_PROXY"].split(",")
        within = {"localhost", "127.0.0.1", "::1", ".svc", ".cluster.local"}
        own = {"mnist-0123abcd-collector", "mnist-0123abcd-head-svc"}
        assert {*within, *own, "10.0.0.0/8", ".corp"} == set(without)
        # Ray's own connections go by addresses of pods.
        assert said["grpc_proxy"] == ""


@pytest.mark.parametrize("component", ALL)
def test_without_anything_set_nothing_is_added(component: str) -> None:
    pod = pods()[component]
    names = {name.lower() for container in containers(pod) for name in env(container)}
    assert not [name for name in names if "proxy" in name or name == "ssl_cert_file"]
    assert not [volume for volume in pod["spec"]["volumes"] if volume["name"] == "vaportrail-ca"]
    assert not {"topologySpreadConstraints", "nodeSelector", "tolerations"} & pod["spec"].keys()


@pytest.mark.parametrize("component", ALL)
def test_pods_run_as_our_user_another_one_or_whom_the_cluster_gives(component: str) -> None:
    def context(platform: Spec) -> Spec:
        pod = pods(platform=platform)[component]
        assert not [each for each in violations(pod["spec"]) if "runAsUser" not in each]
        found: Spec = pod["spec"]["securityContext"]
        return found

    users = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
    assert context({}).items() >= users.items()
    other = {"runAsUser": 1001, "runAsGroup": 1002, "fsGroup": 1003, "seLinuxOptions": {"level": "s0"}}
    assert context({"securityContext": other}).items() >= other.items()
    given = context({"securityContext": {}})
    assert given == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert context({"securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}) == given


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"nodeselector": {}}, "there is no nodeselector; there is affinity"),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser is 0: no pod of a run may be root"),
        ({"securityContext": {"privileged": True}}, "securityContext has privileged; it may have runAsUser"),
        ({"tolerations": [{"operator": "Sometimes"}]}, "tolerations.0.operator is 'Sometimes'"),
        ([], "use an object"),
    ],
)
def test_what_the_platform_cannot_mean_is_said(said: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read_run_pods(json.dumps(said))


def test_a_collector_has_settings_of_its_own() -> None:
    own = {
        "resources": {"limits": {"memory": "2Gi"}},
        "pod": {
            "nodeSelector": {"pool": "small"},
            "env": [{"name": "GOGC", "value": "50"}],
            "labels": {"azure.workload.identity/use": "true"},
            "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        },
    }
    made = pods({"collector": own, "podDefaults": {"nodeSelector": {"gpu": "yes"}}})
    pod = made["collector"]
    container = main(pod["spec"])
    assert pod["spec"]["nodeSelector"] == {"pool": "small"}
    assert container["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}
    }  # fmt: skip
    assert env(container)["GOGC"] == "50"
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert {"name": "ca", "mountPath": "/ca"} in container["volumeMounts"]
    assert "GOGC" not in env(main(made["sealer"]["spec"]))


@pytest.mark.parametrize("component", ALL)
def test_a_service_account_brings_no_token_unless_one_is_asked_for(component: str) -> None:
    named = {"serviceAccountName": "ml", "sealer": {"serviceAccountName": "sealer"}}
    assert pods(named)[component]["spec"]["automountServiceAccountToken"] is False
    asks = {"automountServiceAccountToken": True}
    asked = {**named, "podDefaults": asks, "collector": {"pod": asks}, "sealer": {"pod": asks}}
    assert pods(asked)[component]["spec"]["automountServiceAccountToken"] is True


OURS = {"shipper", "collector", "plan", "sealer"}


@pytest.mark.parametrize("component", ALL)
def test_a_quota_on_limits_refuses_no_container_of_ours(component: str) -> None:
    for container in containers(pods()[component]):
        assert container["resources"]["limits"].keys() >= {"memory"}
        if container["name"] in OURS:
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_the_table_of_what_containers_ask_for_is_true() -> None:
    page = (REPOSITORY / "docs/namespaces.md").read_text()
    section = page.partition("## What pods ask for\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    said = {(row[0].split(" ")[0], row[1].strip("`")): tuple(row[2:6]) for row in rows[2:]}
    true = {
        (component, container["name"]): tuple(
            container["resources"][kind].get(name, "–")
            for kind, name in (
                ("requests", "cpu"),
                ("requests", "memory"),
                ("limits", "cpu"),
                ("limits", "memory"),
            )
        )
        for component, pod in pods().items()
        for container in containers(pod)
    }
    assert said == true
