"""The chart, rendered by Helm's own library as `helm install` would, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import helm_python
import pytest
from helm_python import _native
from manifests import CHART, NAMESPACE, RELEASE, objects_of

from conftest import REPOSITORY

DIGEST = "sha256:" + "0123456789abcdef" * 4
BRANCHES: dict[str, dict[str, Any]] = {
    "default": {},
    "namespaces": {"watchNamespaces": ["team-a", "on", "123"]},
    "digests": {
        "image": {"repository": "example.test:5000/operator", "digest": DIGEST, "tag": ""},
        "collector": {"image": {"repository": "example.test/collector", "digest": DIGEST}},
    },
    "everything": {
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        "replicas": 2,
        "logLevel": "debug",
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy.test:3128"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "password"}}},
        ],
        "resources": {"requests": {"cpu": 1}, "limits": {"cpu": "2", "memory": "1Gi"}},
        "podLabels": {"team": "platform", "app.kubernetes.io/name": "other"},
        "podAnnotations": {"sidecar.istio.io/inject": "false"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "infra", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "slow", "operator": "Equal", "value": "yes", "effect": "NoExecute"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
        ],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "infra", "operator": "Exists"}]}],
        }}},
        "priorityClassName": "system-cluster-critical",
        "service": {"annotations": {"prometheus.io/scrape": "true"}},
        "networkPolicy": {
            "create": True,
            "apiServerPorts": [6443],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        },
        "commonLabels": {"cost-centre": "ml", "app.kubernetes.io/name": "other"},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
        ],
        "securityContext": {"runAsUser": 1001, "runAsGroup": 1002, "fsGroup": 1003},
        "podMonitor": {"create": True, "labels": {"release": "prometheus"}, "interval": "10s"},
        "alerts": {"create": True, "labels": {"release": "prometheus"}},
        "runPods": {
            "labels": {"team": "ml"},
            "annotations": {"owner": "ml"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "batch", "operator": "Exists"}],
            "affinity": {"podAntiAffinity": {}},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "priorityClassName": "batch",
            "imagePullSecrets": [{"name": "runs"}],
            "securityContext": {"runAsUser": 2001, "runAsGroup": 2002, "fsGroup": 2003},
            "caBundle": {"configMap": "trusted", "key": "bundle.pem"},
            "proxy": {"http": "http://p:1", "https": "http://p:2", "noProxy": ["10.0.0.0/8"]},
        },
    },
    "nothing": {
        "crds": {"install": False},
        "userRoles": {"create": False},
        "service": {"create": False},
        "serviceAccount": {"create": False, "name": "given"},
        "resources": {"requests": None, "limits": None},
        "collector": {"resources": None},
        "watchNamespaces": ["team-a"],
    },
}  # fmt: skip
"""Values that together take every branch of the templates."""
NOBODY: dict[str, Any] = {
    "securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
    "runPods": {"securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
}
"""As whom the cluster says."""


@dataclass(frozen=True)
class Rendered:
    """What Helm made of the chart."""

    objects: list[dict[str, Any]]
    notes: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        """Return the only object of a kind."""
        (found,) = self.of(kind)
        return found

    @property
    def operator(self) -> dict[str, Any]:
        """The specification of the operator's pod."""
        spec: dict[str, Any] = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def environment(self) -> dict[str, str]:
        """The operator's environment, as far as it is written down."""
        return {
            each["name"]: each["value"] for each in self.operator["containers"][0]["env"] if "value" in each
        }


Render = Callable[..., Rendered]


@pytest.fixture(scope="session")
def render() -> Render:
    """Render the chart; where they matter: release, namespace, what the cluster serves, its version."""

    def render(
        values: dict[str, Any] | None = None,
        *,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
        serves: tuple[str, ...] = (),
        kubernetes: str = "1.37",
    ) -> Rendered:
        options = {
            "name": release,
            "namespace": namespace,
            "api_versions": list(serves),
            "kube_version": f"v{kubernetes}.0",
        }
        with helm_python.Chart.load(REPOSITORY / CHART) as chart:
            # `Chart.render` passes on only some of the options that there are.
            answer = _native.call_string(
                "helm_render", chart._raw(), json.dumps(values or {}), json.dumps(options)
            )
        templates = json.loads(answer)
        (notes,) = [text for path, text in templates.items() if path.endswith("NOTES.txt")]
        return Rendered(objects_of(templates), notes)

    return render


@pytest.fixture(params=BRANCHES)
def branch(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Values of each branch in turn."""
    return BRANCHES[request.param]
