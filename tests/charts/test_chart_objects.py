"""The chart's objects: valid for every branch of the values, locked down, and what the values say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from manifests import CHART
from tests.charts.conftest import BRANCHES, NOBODY

import vaportrail
from conftest import REPOSITORY
from pod_security import violations
from vaportrail_operator.planning.run_pods import RunPods
from vaportrail_operator.runtime.settings import VARIABLES, read_environment

Render = Callable[..., Any]
DIGEST = "sha256:" + "0123456789abcdef" * 4
VERSIONS = ("1.29", "1.37")
"""The oldest Kubernetes that the chart says it is for, and the newest whose schemas are installed."""
DEFINITIONS = REPOSITORY / CHART / "files"
NAMES = {"pipelineruns.vaportrail.dev", "pipelineschedules.vaportrail.dev"}


def pod_specs(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in objects:
        spec = each["spec"] if each["kind"] == "Pod" else each.get("spec", {}).get("template", {}).get("spec")
        if spec:
            yield f"{each['kind']}/{each['metadata']['name']}", spec


def test_helm_finds_nothing_to_complain_of(branch: dict[str, Any]) -> None:
    report = helm_python.lint(REPOSITORY / CHART, branch, strict=True, namespace="system")

    assert report["errors"] == []
    told = [message["error"] for message in report["messages"]]
    assert [text for text in told if "icon is recommended" not in text] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_of_kubernetes(render: Render, branch: dict[str, Any], version: str) -> None:
    for each in render(branch, kubernetes=version).objects:
        if not each["apiVersion"].startswith("monitoring.coreos.com/"):
            kubernetes_validate.validate(each, version, strict=True)


def test_no_two_objects_have_the_same_name(render: Render, branch: dict[str, Any]) -> None:
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in render(branch).objects
    ]

    assert sorted(map(str, names)) == sorted({str(name) for name in names})


def test_every_pod_passes_pod_security_restricted(render: Render, branch: dict[str, Any]) -> None:
    found = {name: violations(spec) for name, spec in pod_specs(render(branch).objects)}

    assert found
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_every_container_says_what_it_needs_and_no_quota_refuses_it(render: Render) -> None:
    for _, spec in pod_specs(render().objects):
        for container in spec["containers"]:
            assert set(container["resources"]) == {"requests", "limits"}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_common_labels_are_on_everything_and_change_no_selector(render: Render) -> None:
    plain, labelled = render(), render({"commonLabels": {"cost-centre": "ml", "helm.sh/chart": "other"}})

    for each in labelled.objects:
        if "helm.sh/hook" in each["metadata"].get("annotations", {}):
            continue
        assert each["metadata"]["labels"]["cost-centre"] == "ml", each["kind"]
    template = labelled.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert template["cost-centre"] == "ml"
    assert template["helm.sh/chart"] != "other"
    assert labelled.one("Deployment")["spec"]["selector"] == plain.one("Deployment")["spec"]["selector"]
    assert json.loads(labelled.environment["VAPORTRAIL_RUN_PODS"])["labels"]["cost-centre"] == "ml"


def test_the_operator_runs_as_whom_the_values_or_the_cluster_say(render: Render) -> None:
    given = {"securityContext": {"runAsUser": 1001, "runAsGroup": 1002, "fsGroup": 1003}}

    for values, users in ((NOBODY, {}), (given, given["securityContext"])):
        for _, spec in pod_specs(render(values).objects):
            assert spec["securityContext"] == {
                "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **users
            }  # fmt: skip


def test_what_holds_for_pods_of_runs_is_what_the_operator_reads(render: Render) -> None:
    everything = BRANCHES["everything"]
    told = {**render(everything).environment, "VAPORTRAIL_NAMESPACE": "system"}
    read = read_environment(told).settings.run_pods
    given = everything["runPods"]

    assert read.placement.labels == {"team": "ml", **everything["commonLabels"]}
    assert read.placement.node_selector == given["nodeSelector"]
    assert [dict(each) for each in read.topology_spread] == given["topologySpreadConstraints"]
    assert dict(read.user) == given["securityContext"]
    assert (read.ca_config_map, read.ca_key) == ("trusted", "bundle.pem")
    assert read.proxy == {"http": "http://p:1", "https": "http://p:2", "no": "10.0.0.0/8"}
    by_default = {**render().environment, "VAPORTRAIL_NAMESPACE": "system"}
    assert read_environment(by_default).settings.run_pods == RunPods()
    nobody = {**render(NOBODY).environment, "VAPORTRAIL_NAMESPACE": "system"}
    assert read_environment(nobody).settings.run_pods.user == {}


def test_a_prometheus_operator_is_told_of_metrics_and_alerts_where_that_is_wanted(render: Render) -> None:
    plain, rendered = render(), render(BRANCHES["everything"])
    monitor, rules = rendered.one("PodMonitor"), rendered.one("PrometheusRule")
    deployment = rendered.one("Deployment")["spec"]["template"]

    assert not [each for each in plain.objects if each["apiVersion"].startswith("monitoring")]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= deployment["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint == {"port": "http", "path": "/metrics", "interval": "10s"}
    assert endpoint["port"] in [port["name"] for port in deployment["spec"]["containers"][0]["ports"]]
    assert rules["spec"] == yaml.safe_load((REPOSITORY / "manifests/alerts.yaml").read_text())
    for each in (monitor, rules):
        assert each["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize("replicas", [1, None])
def test_there_is_one_operator_at_a_time_unless_more_are_wanted(render: Render, replicas: int | None) -> None:
    rendered = render({"replicas": replicas})
    spec = rendered.one("Deployment")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert rendered.of("PodDisruptionBudget") == []


def test_a_standby_is_on_another_node_and_one_pod_is_left_at_any_time(render: Render) -> None:
    rendered = render({"replicas": 2})
    spec = rendered.one("Deployment")["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    (spread,) = rendered.operator["topologySpreadConstraints"]
    budget = rendered.one("PodDisruptionBudget")["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "kubernetes.io/hostname",
        "ScheduleAnyway",
    )
    assert budget["maxUnavailable"] == 1
    for selector in (spread["labelSelector"], budget["selector"]):
        assert selector["matchLabels"].items() <= labels
        assert not selector["matchLabels"].items() <= rendered.one("Pod")["metadata"]["labels"].items()


def test_the_operator_runs_its_own_program_and_is_probed(render: Render) -> None:
    (container,) = render().operator["containers"]

    assert container["command"] == ["vaportrail-operator"]
    assert [port["containerPort"] for port in container["ports"]] == [8080]
    paths = {
        name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_only_the_operators_pod_gets_a_token(render: Render) -> None:
    rendered = render()

    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert rendered.operator["automountServiceAccountToken"] is True
    assert rendered.one("Pod")["spec"]["automountServiceAccountToken"] is False


def test_labels_of_the_user_do_not_take_the_pod_from_its_deployment(render: Render) -> None:
    spec = render({"podLabels": {"app.kubernetes.io/name": "other", "team": "a"}}).one("Deployment")["spec"]
    labels = spec["template"]["metadata"]["labels"]

    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels["team"] == "a"


def test_the_service_leads_to_the_operator_and_not_to_the_test(render: Render) -> None:
    rendered = render()
    wanted = rendered.one("Service")["spec"]["selector"].items()

    assert wanted <= rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    assert not wanted <= rendered.one("Pod")["metadata"]["labels"].items()


def test_a_digest_counts_more_than_a_tag(render: Render) -> None:
    rendered = render({
        "image": {"repository": "a/operator", "tag": "v1", "digest": DIGEST},
        "collector": {"image": {"repository": "b/collector", "tag": "v1", "digest": DIGEST}},
    })  # fmt: skip

    assert rendered.operator["containers"][0]["image"] == f"a/operator@{DIGEST}"
    assert rendered.environment["VAPORTRAIL_OPERATOR_IMAGE"] == f"a/operator@{DIGEST}"
    assert rendered.environment["VAPORTRAIL_COLLECTOR_IMAGE"] == f"b/collector@{DIGEST}"
    assert rendered.one("Pod")["spec"]["containers"][0]["image"] == f"a/operator@{DIGEST}"


def test_no_image_goes_by_a_tag_that_moves_by_itself(render: Render) -> None:
    environment = render().environment

    for name in ("VAPORTRAIL_OPERATOR_IMAGE", "VAPORTRAIL_COLLECTOR_IMAGE"):
        assert environment[name].rpartition(":")[2] not in ("latest", "")


def test_the_operator_is_told_what_the_values_say(render: Render) -> None:
    environment = render({
        "watchNamespaces": ["team-a", "team-b"],
        "logLevel": "debug",
        "imagePullPolicy": "Never",
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        "sealer": {"resources": {"requests": {"cpu": "2"}}},
        "env": [{"name": "MORE", "value": "1"}],
    }).environment  # fmt: skip

    assert environment["VAPORTRAIL_WATCH_NAMESPACES"] == "team-a,team-b"
    assert environment["VAPORTRAIL_LOG_LEVEL"] == "DEBUG"
    assert environment["VAPORTRAIL_IMAGE_PULL_POLICY"] == "Never"
    assert environment["VAPORTRAIL_IMAGE_PULL_SECRETS"] == "one,two"
    assert json.loads(environment["VAPORTRAIL_SEALER_RESOURCES"])["requests"]["cpu"] == "2"
    assert json.loads(environment["VAPORTRAIL_COLLECTOR_RESOURCES"])["limits"]
    assert environment["MORE"] == "1"


def test_the_operator_understands_what_it_is_told(render: Render, branch: dict[str, Any]) -> None:
    told = {**render(branch).environment, "VAPORTRAIL_NAMESPACE": "system"}
    read = read_environment(told)

    assert {name for name in told if name.startswith("VAPORTRAIL_")} <= set(VARIABLES)
    assert list(read.namespaces) == branch.get("watchNamespaces", [])
    assert read.port == 8080
    assert read.settings.operator_image == told["VAPORTRAIL_OPERATOR_IMAGE"]


def test_resources_that_are_taken_away_are_no_resources(render: Render) -> None:
    environment = render({"collector": {"resources": None}}).environment

    assert json.loads(environment["VAPORTRAIL_COLLECTOR_RESOURCES"]) == {}


def test_the_definitions_are_those_of_the_models_and_stay_when_the_chart_goes(render: Render) -> None:
    found = {each["metadata"]["name"]: each for each in render().of("CustomResourceDefinition")}

    assert set(found) == NAMES
    for name, definition in found.items():
        source = yaml.safe_load((DEFINITIONS / f"{name}.yaml").read_text())
        assert definition["spec"] == source["spec"]
        assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_what_an_older_kubernetes_does_not_know_is_left_out_of_the_definition(render: Render) -> None:
    (now,), (older,) = (
        render(kubernetes=version).of("CustomResourceDefinition")[0]["spec"]["versions"]
        for version in ("1.30", "1.29")
    )

    assert now.pop("selectableFields")
    assert older == now


def test_the_definition_can_be_left_out(render: Render) -> None:
    assert render({"crds": {"install": False}}).of("CustomResourceDefinition") == []


def test_the_network_policy_lets_in_to_the_metrics_and_out_to_dns_and_the_api_server(render: Render) -> None:
    policy = render({"networkPolicy": {"create": True, "apiServerPorts": [6443]}}).one("NetworkPolicy")[
        "spec"
    ]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in policy["ingress"]] == [[{"protocol": "TCP", "port": "http"}]]
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {53, 6443}
    assert "from" not in policy["ingress"][0]
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    only = render({"networkPolicy": {"create": True, "metricsFrom": peers}}).one("NetworkPolicy")["spec"]
    assert only["ingress"][0]["from"] == peers
    assert render().of("NetworkPolicy") == []


def test_the_test_asks_the_service_whether_the_operator_is_ready(render: Render) -> None:
    rendered = render()
    pod, service = rendered.one("Pod"), rendered.one("Service")

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["command"][-1] == f"http://{service['metadata']['name']}:8080/readyz"
    assert render({"service": {"create": False}}).of("Pod") == []


def test_a_release_of_another_name_has_names_of_its_own(render: Render) -> None:
    one, two = (render(release=name, namespace="n") for name in ("blue", "green"))

    names = [{each["metadata"]["name"] for each in rendered.objects} for rendered in (one, two)]
    assert names[0] & names[1] == NAMES
    assert "blue-vaportrail" in names[0]


def test_the_longest_names_are_still_names(render: Render) -> None:
    rendered = render(release="r" * 53, namespace="n" * 63)

    for each in rendered.objects:
        assert len(each["metadata"]["name"]) <= (63 if each["kind"] in ("Service", "Pod") else 253)


@pytest.mark.parametrize(
    "release", ["my.rel", "1st", "2.vaportrail", "vaportrail.2", f"{'r' * 49}--rr", "9" * 53]
)
def test_every_release_name_makes_names_that_a_service_may_have(render: Render, release: str) -> None:
    rendered = render(release=release)

    for each in [*rendered.of("Service"), *rendered.of("Deployment"), *rendered.of("Pod")]:
        assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", each["metadata"]["name"])


def test_the_charts_version_is_that_of_the_distributions() -> None:
    chart = yaml.safe_load((REPOSITORY / CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == vaportrail.__version__
    # The same in SemVer's words.
    assert chart["version"] == vaportrail.__version__.replace(".dev", "-dev.")
