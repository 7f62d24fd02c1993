"""What is there already is the run's only if it is what was asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.planning.runs import SETTINGS, a_run

from vaportrail.contract.outcome import Outcome
from vaportrail_operator.acting.adoption import is_as_asked
from vaportrail_operator.planning.children.collector import collector_pod, collector_service
from vaportrail_operator.planning.children.raycluster import ray_cluster
from vaportrail_operator.planning.children.runner import runner_pod
from vaportrail_operator.planning.children.sealer import seal_request, sealer_pod

Raw = dict[str, Any]


def a_sealer() -> Raw:
    run = a_run()
    request = seal_request(run, SETTINGS, outcome=Outcome.SUCCEEDED, message="", timeline={}, receipt=[])
    return sealer_pod(run, SETTINGS, request)


MANIFESTS: dict[str, Callable[[], Raw]] = {
    "runner": lambda: runner_pod(a_run(), SETTINGS),
    "collector": lambda: collector_pod(a_run(), SETTINGS),
    "service": lambda: collector_service(a_run()),
    "cluster": lambda: ray_cluster(a_run(), SETTINGS),
    "sealer": a_sealer,
}


def stored(manifest: Raw) -> Raw:
    """Return a manifest as an API server stores it: with defaults, and without what is empty."""
    raw = copy.deepcopy(manifest)
    raw["metadata"] |= {"uid": "it", "resourceVersion": "7", "managedFields": [{"manager": "vaportrail"}]}
    spec = raw["spec"]
    if raw["kind"] == "Pod":
        token = {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        for container in (*spec["containers"], *spec.get("initContainers", [])):
            container["terminationMessagePath"] = "/dev/termination-log"
            container.setdefault("volumeMounts", []).append(token | {"readOnly": True})
            container["env"] = [
                {name: value for name, value in each.items() if value != ""}
                for each in container.get("env", [])
            ]
            for amounts in container.get("resources", {}).values():
                if amounts.get("cpu") == "1":
                    amounts["cpu"] = "1000m"
        spec["tolerations"] = [*spec.get("tolerations", []), {"key": "node.kubernetes.io/not-ready"}]
        spec.setdefault("volumes", []).append({"name": "kube-api-access-x", "projected": {}})
        spec |= {"nodeName": "node-1", "priority": 0, "dnsPolicy": "ClusterFirst"}
    return raw


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_the_api_server_made_of_a_manifest_is_what_was_asked_for(name: str) -> None:
    manifest = MANIFESTS[name]()
    assert is_as_asked(manifest, stored(manifest))


def first(raw: Raw) -> Raw:
    container: Raw = raw["spec"]["containers"][0]
    return container


def other_volume(raw: Raw) -> None:
    """Put something of a stranger's where an empty folder was asked for."""
    volume = next(each for each in raw["spec"]["volumes"] if "emptyDir" in each)
    del volume["emptyDir"]
    volume["persistentVolumeClaim"] = {"claimName": "theirs"}


def mount(path: str) -> Raw:
    return {"name": "kube-api-access-x", "mountPath": path}


PROBE: Raw = {"exec": {"command": ["another"]}}
CHANGES: dict[str, Callable[[Raw], Any]] = {
    "a volume of another kind": other_volume,
    "a startup probe": lambda raw: first(raw).update(startupProbe=PROBE),
    "a liveness probe": lambda raw: first(raw).update(livenessProbe=PROBE),
    "the node's processes": lambda raw: raw["spec"].update(hostPID=True),
    "the node's network": lambda raw: raw["spec"].update(hostNetwork=True),
    "another account": lambda raw: raw["spec"].update(serviceAccountName="theirs"),
    "another place of the last words": lambda raw: first(raw).update(terminationMessagePath="/tmp/x"),
    "last words from the log": lambda raw: first(raw).update(
        terminationMessagePolicy="FallbackToLogsOnError"
    ),
    "privileges": lambda raw: first(raw).setdefault("securityContext", {}).update(privileged=True),
    "a part of a volume": lambda raw: first(raw)["volumeMounts"][0].update(subPath="theirs"),
    "a mount that climbs": lambda raw: first(raw)["volumeMounts"].append(mount("/var/run/secrets/../../lib")),
    "image": lambda raw: first(raw).update(image="another"),
    "command": lambda raw: first(raw).update(command=["another"]),
    "more arguments": lambda raw: first(raw).update(args=[*first(raw).get("args", []), "another"]),
    "a variable more": lambda raw: first(raw)["env"].append({"name": "LD_PRELOAD", "value": "/x"}),
    "a variable's value": lambda raw: first(raw)["env"][0].update(value="another"),
    "a variable less": lambda raw: first(raw)["env"].pop(),
    "variables of a Secret": lambda raw: first(raw).setdefault("envFrom", []).append({"secretRef": {}}),
    "a container more": lambda raw: raw["spec"]["containers"].insert(0, {"name": "another"}),
    "an init container": lambda raw: raw["spec"].setdefault("initContainers", []).append({"name": "x"}),
    "a hook": lambda raw: first(raw).update(lifecycle={"postStart": {"exec": {"command": ["x"]}}}),
    "a mount": lambda raw: first(raw)["volumeMounts"].append({"name": "x", "mountPath": "/usr/lib"}),
    "names of hosts": lambda raw: raw["spec"].update(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["s3"]}]),
    "a label": lambda raw: raw["metadata"]["labels"].update({"vaportrail.dev/run-uid": "another"}),
    "no labels": lambda raw: raw["metadata"].pop("labels"),
    "no spec": lambda raw: raw.update(spec=None),
    "a spec of another shape": lambda raw: raw["spec"].update(containers="none"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["runner", "collector", "sealer"])
def test_a_pod_that_does_anything_else_is_not(name: str, change: str) -> None:
    manifest = MANIFESTS[name]()
    raw = stored(manifest)
    CHANGES[change](raw)
    assert not is_as_asked(manifest, raw)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cluster", lambda spec: spec["workerGroupSpecs"].append({"groupName": "theirs"})),
        ("cluster", lambda spec: spec["headGroupSpec"]["rayStartParams"].update(address="theirs")),
        ("cluster", lambda spec: spec.update(gcsFaultToleranceOptions={"redisAddress": "theirs"})),
        ("service", lambda spec: spec["selector"].update(theirs="yes")),
        ("service", lambda spec: spec.update(type="ExternalName", externalName="theirs.example")),
        ("service", lambda spec: spec.update(externalIPs=["192.0.2.1"])),
    ],
)
def test_a_cluster_or_service_with_more_in_it_is_not(name: str, change: Callable[[Raw], Any]) -> None:
    manifest = MANIFESTS[name]()
    there = stored(manifest)
    change(there["spec"])
    assert not is_as_asked(manifest, there)


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_has_another_controller_is_not(name: str) -> None:
    manifest = MANIFESTS[name]()
    raw = stored(manifest)
    raw["metadata"]["ownerReferences"] = [{"uid": "another", "controller": True}]
    assert not is_as_asked(manifest, raw)


def test_the_sealer_of_another_request_is_not() -> None:
    run = a_run()
    request = seal_request(run, SETTINGS, outcome=Outcome.FAILED, message="", timeline={}, receipt=[])
    assert not is_as_asked(a_sealer(), stored(sealer_pod(run, SETTINGS, request)))


def test_only_amounts_may_be_stored_in_another_form() -> None:
    def pod(value: str, cpu: str) -> Raw:
        container = {
            "name": "it",
            "env": [{"name": "N", "value": value}],
            "resources": {"limits": {"cpu": cpu}},
        }
        return {"metadata": {}, "spec": {"containers": [container]}}

    assert is_as_asked(pod("1", "1"), pod("1", "1000m"))
    assert not is_as_asked(pod("1", "1"), pod("1000m", "1"))
