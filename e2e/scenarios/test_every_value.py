"""A run with every value of the chart changed: another user, a private authority, a proxy, a quota."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.layout import layout
from e2e.scenarios.installation import ROOT, installed
from e2e.scenarios.objects import Object
from e2e.scenarios.private_store import HOST, PrivateStore, private_store
from e2e.scenarios.runs import SMALL, apply, finished, pipeline_run, record_of, record_store, script_source

VALUES = ROOT / "e2e" / "every_value.yaml"
SYSTEM, TEAM = "every-value-system", "every-value"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
# A minute of tries, and the time until a runner runs, are more than this.
SOON = 120
RAY_ASKS = {"usage-stats.ray.io", "169.254.169.254", "metadata.google.internal"}
"""What a head asks for by itself: it says that its statistics are off, and looks which cloud it is in."""
_RUNS = "pipelineruns.vaportrail.dev"
QUOTA = yaml.safe_load((ROOT / "docs/policies/resource-quota.yaml").read_text().partition("---")[0])


def definition(plural: str, kind: str) -> Object:
    """Return a definition of the Prometheus operator's, which this cluster has not."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, administrator: Kubectl) -> Iterator[PrivateStore]:
    address = administrator.json("get", "service", "s3", "--namespace=object-store")["spec"]["clusterIP"]
    folder = tmp_path_factory.mktemp("authority")
    with private_store(folder, address, 8333, proxy_at=layout().host_address) as store:
        yield store


@pytest.fixture(scope="module")
def team(administrator: Kubectl, store: PrivateStore, bucket_environment: None) -> Iterator[Kubectl]:
    """The team's namespace, with an operator that has every value changed."""
    proxy = f"http://{layout().host_address}:{store.port}"
    values = [f"runPods.proxy.{name}={proxy}" for name in ("http", "https")]
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 10}
    there = set(administrator("get", "crd", "--output=name").split())
    definitions = [
        each
        for each in (
            definition("podmonitors", "PodMonitor"),
            definition("prometheusrules", "PrometheusRule"),
            *yaml.safe_load_all((ROOT / "manifests/crds.yaml").read_text()),
        )
        if f"customresourcedefinition.apiextensions.k8s.io/{each['metadata']['name']}" not in there
    ]
    cluster_wide = [
        {**priority, "metadata": {"name": "every-value"}},
        *definitions,
        *(_namespace(name) for name in (SYSTEM, TEAM)),
    ]
    administrator("apply", "--server-side", "--filename", "-", text=yaml.safe_dump_all(cluster_wide))
    system, team = (Kubectl(administrator.kubeconfig, namespace=name) for name in (SYSTEM, TEAM))
    try:
        for each in definitions:
            administrator.wait_established(each["metadata"]["name"])
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operators-own"}}
        apply(system, account)
        trusted = {"bundle.pem": store.authority.bundle.read_text()}
        bundle = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trusted"}, "data": trusted}
        apply(team, bundle, QUOTA, record_store(), script_source("small", SMALL))
        # Until its controller has found the kind and counted, the quota refuses every run.
        counted = f"jsonpath={{.status.used.count/{_RUNS.replace('.', chr(92) + '.')}}}"
        team.wait(f"resourcequota/{QUOTA['metadata']['name']}", counted, timeout=180)
        with installed(administrator, *values, namespace=SYSTEM, file=VALUES):
            yield team
    finally:
        administrator("delete", "namespace", SYSTEM, TEAM, "--ignore-not-found")
        # Ours too, where no chart has left it: one that it has not made itself the next chart would refuse.
        made = [each["metadata"]["name"] for each in definitions]
        administrator("delete", "crd", *made, "--ignore-not-found")
        administrator("delete", "priorityclass", "every-value", "--ignore-not-found")


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}


def _run(name: str, store: PrivateStore) -> Object:
    resources = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
    run = pipeline_run(name, script="small", runner={"resources": resources})
    spec: dict[str, Any] = run["spec"]
    spec["record"]["endpoint"] = store.endpoint
    for part in (spec["ray"]["head"], *spec["ray"]["workers"]):
        part["resources"] = {**resources, "requests": part["resources"]["requests"]}
    return run


def test_a_run_succeeds_and_its_pods_are_as_the_platform_says(team: Kubectl, store: PrivateStore) -> None:
    apply(team, _run("all", store))
    pods: dict[str, Object] = {}
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for each in team.json("get", "pods")["items"]:
            pods[each["metadata"]["labels"]["vaportrail.dev/component"]] = each
        phase = team.json("get", "pipelineruns.vaportrail.dev", "all").get("status", {}).get("phase")
        if phase in ("Succeeded", "Failed", "Cancelled"):
            break
        time.sleep(0.2)
    status = finished(team, "all")

    assert (status["phase"], record_of(status).facts.counts.loss) == ("Succeeded", "None"), status
    assert set(pods) >= {"head", "worker", "runner", "collector"}
    for pod in pods.values():
        assert pod["metadata"]["labels"]["cost-centre"] == "ml"
        assert pod["spec"]["securityContext"]["runAsUser"] == 1001
        assert pod["spec"]["priorityClassName"] == "every-value"
    # Connections between Ray's processes, and those to the collector, are none of the proxy's.
    assert store.asked - RAY_ASKS == {HOST}


def test_without_the_authority_the_certificate_is_named_soon(
    team: Kubectl, store: PrivateStore, tmp_path: Path
) -> None:
    run = _run("untrusting", store)
    image_own = [{"name": "SSL_CERT_FILE", "value": "/etc/ssl/certs/ca-certificates.crt"}]
    run["spec"]["podDefaults"]["env"] = image_own
    began = time.monotonic()
    apply(team, run)
    status = finished(team, "untrusting")

    assert status["phase"] == "Failed"
    assert f"the certificate of {HOST} is of an authority that is not trusted here" in status["message"]
    assert time.monotonic() - began < SOON
