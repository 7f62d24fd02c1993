"""PipelineRun as the API server sees it: what it fills in, refuses, shows and explains.

The runs are suspended, so that an operator that may be there makes nothing for them.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster.kubectl import Kubectl
from e2e.cluster.progress import Failed
from e2e.scenarios.objects import Object

REPOSITORY = Path(__file__).parents[2]
DEFINITION = REPOSITORY / "charts/vaportrail/files/pipelineruns.vaportrail.dev.yaml"
RESOURCE = "pipelineruns.vaportrail.dev"

# An explicit null in a merge patch removes a field; each step goes from what the one before left.
SPEC: Object = {
    "suspend": True,
    "pipeline": "mnist",
    "entrypoint": "pipeline:mnist",
    "image": "localhost/vaportrail/mnist:dev",
    "record": {"uri": "s3://runs/mnist", "secretRef": {"name": "record-store"}},
}
FULL: Object = {
    **SPEC,
    "serviceAccountName": "default",
    "source": {"configMap": {"name": "code"}},
    "parameters": {"sizes": [600, {"deep": [1]}], "none": None},
    "tags": {"team": "vision"},
    "ray": {
        "version": "2.60.0",
        "workers": [
            {
                "name": "small",
                "resources": {"requests": {"cpu": 1}},
                "rayResources": {"accelerator": 1},
                "pod": {"tolerations": [{"key": "spot", "operator": "Exists"}]},
            },
            {"name": "large", "replicas": 2},
        ],
    },
    "runner": {"pod": {"env": [{"name": "A", "value": "1"}]}},
    "sealer": {"serviceAccountName": "default"},
    "podDefaults": {
        "imagePullPolicy": "Never",
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}},
        "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
    "telemetry": {"spoolLimit": "1Gi"},
    "deadlines": {"runSeconds": 60},
}
CHANGES: dict[str, tuple[str, Any]] = {
    "pipeline": ("pipeline", "other"),
    "entrypoint": ("entrypoint", "pipeline:other"),
    "image": ("image", "localhost/other:dev"),
    "serviceAccountName": ("serviceAccountName", "other"),
    "serviceAccountName removed": ("serviceAccountName", None),
    "source of another kind": ("source", {"configMap": None, "git": {"url": "https://example.com/a"}}),
    "source removed": ("source", None),
    "a parameter": ("parameters", {"sizes": [700]}),
    "inside a parameter": ("parameters", {"sizes": [600, {"deep": [2]}]}),
    "a parameter renamed": ("parameters", {"none": None, "other": 1}),
    "a parameter added": ("parameters", {"other": 1}),
    "a parameter's type": ("parameters", {"sizes": "600"}),
    "parameters removed": ("parameters", None),
    "tags": ("tags", {"team": "other"}),
    "a tag added": ("tags", {"other": "one"}),
    "record.uri": ("record", {"uri": "s3://runs/other"}),
    "record.endpoint added": ("record", {"endpoint": "http://example.com"}),
    "record.secretRef removed": ("record", {"secretRef": None}),
    "ray.version": ("ray", {"version": "2.61.0"}),
    "ray.workers": ("ray", {"workers": [{"name": "small"}]}),
    "ray.head added": ("ray", {"head": {"resources": {"limits": {"cpu": "1"}}}}),
    "runner": ("runner", {"pod": {"env": [{"name": "A", "value": "2"}]}}),
    "a key in place of another": ("runner", {"pod": {"env": [{"name": "A", "valueFrom": {"x": {}}}]}}),
    "sealer": ("sealer", {"serviceAccountName": "other"}),
    "podDefaults": ("podDefaults", {"imagePullPolicy": "Always"}),
    "inside an affinity": (
        "podDefaults",
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 2}]}}},
    ),
    "an open key in place of another": (
        "podDefaults",
        {"volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}]},
    ),
    "telemetry": ("telemetry", {"spoolLimit": "2Gi"}),
    "deadlines": ("deadlines", {"sealSeconds": 5}),
    "deadlines removed": ("deadlines", None),
}
ADDED = sorted(set(FULL) - set(SPEC))
REFUSED: dict[str, tuple[Object, str]] = {
    "two sources": (
        {"source": {"configMap": {"name": "a"}, "git": {"url": "https://example.com/a"}}},
        "spec.source: Forbidden: give at most one of git, configMap and archive",
    ),
    "a file root without a claim": (
        {"record": {"uri": "file:///records"}},
        "spec.record.persistentVolumeClaim: Forbidden: a record root file://",
    ),
    "another scheme": ({"record": {"uri": "ftp://runs"}}, "spec.record.uri: Invalid value"),
    "no record": ({"record": None}, "spec.record: Required value"),
    "an entrypoint without a pipeline": ({"entrypoint": "pipeline"}, "spec.entrypoint: Invalid value"),
    "groups of one name": (
        {"ray": {"workers": [{"name": "a"}, {"name": "a"}]}},
        "spec.ray.workers[1]: Duplicate value",
    ),
    "a negative quantity": (
        {"runner": {"resources": {"limits": {"cpu": "-1"}}}},
        "spec.runner.resources.limits.cpu: Invalid value",
    ),
    "an unknown field": ({"pipelin": "mnist"}, 'unknown field "spec.pipelin"'),
    "an unknown field of a pod": (
        {"podDefaults": {"tolerations": [{"kee": "spot"}]}},
        'unknown field "spec.podDefaults.tolerations[0].kee"',
    ),
    "a toleration that is no mapping": (
        {"podDefaults": {"tolerations": ["spot"]}},
        "spec.podDefaults.tolerations[0]: Invalid value",
    ),
    "too many parameters": (
        {"parameters": {f"p{number}": 1 for number in range(300)}},
        "spec.parameters: Too many",
    ),
    "no time to seal": ({"deadlines": {"sealSeconds": 0}}, "spec.deadlines.sealSeconds: Invalid value"),
}
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def runs(administrator: Kubectl, shared_kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace for this file's runs, once the definition is established."""
    administrator("apply", "--server-side", "--force-conflicts", "--filename", str(DEFINITION))
    administrator.wait_established(RESOURCE)
    yield shared_kubectl
    # Helm takes over no definition that another has made.
    administrator("delete", "--filename", str(DEFINITION))


def test_every_field_but_three_has_a_case_here() -> None:
    mutable = {"cancel", "suspend", "ttlSecondsAfterFinished"}

    assert {field for field, _ in CHANGES.values()} == set(FULL) - mutable


@pytest.mark.parametrize(("field", "value"), CHANGES.values(), ids=CHANGES.keys())
def test_a_field_that_is_set_cannot_be_changed(runs: Kubectl, field: str, value: Any) -> None:
    name = _created(runs, FULL)

    message = (
        rf"spec\.{field}: Forbidden: spec\.{field} cannot be changed; delete this run and create another"
    )
    with pytest.raises(Failed, match=message):
        _patch(runs, name, {field: value})


@pytest.mark.parametrize("field", ADDED)
def test_a_field_that_is_not_set_cannot_be_added(runs: Kubectl, field: str) -> None:
    name = _created(runs, SPEC)

    with pytest.raises(Failed, match=rf"spec\.{field}: Forbidden: spec\.{field} cannot be changed"):
        _patch(runs, name, {field: FULL[field]})


@pytest.mark.parametrize("words", [(), ("--server-side",)], ids=["by the client", "by the server"])
def test_applying_the_same_again_changes_nothing(runs: Kubectl, words: tuple[str, ...]) -> None:
    # kubectl's own apply takes a null for "remove this".
    spec = FULL if words else {**FULL, "parameters": {"sizes": [600, {"deep": [1]}]}}
    manifest = json.dumps(_object(name := f"run-{next(_NUMBERS)}", spec))
    runs("apply", *words, "--filename", "-", text=manifest)
    before = runs.json("get", RESOURCE, name)["metadata"]["generation"]

    runs("apply", *words, "--filename", "-", text=manifest)

    assert runs.json("get", RESOURCE, name)["metadata"]["generation"] == before


def test_the_order_of_worker_groups_means_nothing(runs: Kubectl) -> None:
    name = _created(runs, FULL)

    _patch(runs, name, {"ray": {"workers": list(reversed(FULL["ray"]["workers"]))}})


@pytest.mark.parametrize("change", [{"suspend": False}, {"ttlSecondsAfterFinished": 60}, {"cancel": True}])
def test_three_fields_can_be_changed(runs: Kubectl, change: Object) -> None:
    # The operator that may be there finds a run that is cancelled, and makes nothing.
    name = _created(runs, {**FULL, "cancel": "suspend" in change})

    _patch(runs, name, change)

    assert runs.json("get", RESOURCE, name)["spec"].items() >= change.items()


@pytest.mark.parametrize("value", [False, None])
def test_a_cancel_cannot_be_taken_back(runs: Kubectl, value: bool | None) -> None:
    name = _created(runs, {**SPEC, "cancel": True})

    with pytest.raises(Failed, match=r"spec\.cancel: Forbidden: a cancel cannot be taken back"):
        _patch(runs, name, {"cancel": value})


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_right_is_refused_when_it_is_created(
    runs: Kubectl, change: Object, message: str
) -> None:
    with pytest.raises(Failed) as refused:
        _created(runs, {**SPEC, **change})

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a" * 41, "metadata.name: Too long"), ("1st", "metadata.name: Invalid value")],
)
def test_a_name_that_names_no_service_is_refused(runs: Kubectl, name: str, message: str) -> None:
    with pytest.raises(Failed, match=message):
        runs.create(_object(name, SPEC))


@pytest.mark.parametrize(
    "status", [{"phase": "Running"}, {"phase": ""}, {"phase": None}, None], ids=lambda status: str(status)
)
def test_a_run_that_ended_stays_as_it_ended(runs: Kubectl, status: Object | None) -> None:
    name = _created(runs, SPEC)
    _patch(runs, name, None, status={"phase": "Failed", "reason": "InvalidSpec"})

    with pytest.raises(Failed, match=r"status\.phase: Forbidden: a run that ended stays as it ended"):
        _patch(runs, name, None, status=status)


def test_what_else_is_in_the_status_of_a_run_that_ended_can_be_written(runs: Kubectl) -> None:
    name = _created(runs, SPEC)
    _patch(runs, name, None, status={"phase": "Failed"})

    _patch(runs, name, None, status={"message": "more", "leftovers": ["Pod/x"]})


def test_only_defaults_that_say_something_are_filled_in(runs: Kubectl) -> None:
    name = _created(runs, {key: value for key, value in SPEC.items() if key != "suspend"}, cancel=True)

    spec = runs.json("get", RESOURCE, name)["spec"]

    assert {key: value for key, value in spec.items() if SPEC.get(key) != value} == {
        "cancel": True,
        "suspend": False,
        "ttlSecondsAfterFinished": 604800,
        "telemetry": {"spoolLimit": "2Gi"},
        "deadlines": {
            "provisioningSeconds": 1800,
            "runSeconds": 0,
            "drainSeconds": 60,
            "releaseSeconds": 300,
            "sealSeconds": 900,
        },
    }


def test_defaults_are_filled_in_below_what_is_given(runs: Kubectl) -> None:
    given = {
        "source": {"git": {"url": "https://example.com/a"}},
        "record": {"uri": "file:///records/a", "persistentVolumeClaim": {"claimName": "records"}},
        "ray": {"workers": [{"name": "a"}]},
    }

    spec = runs.json("get", RESOURCE, _created(runs, {**SPEC, **given}))["spec"]

    assert spec["source"]["git"]["revision"] == "HEAD"
    assert spec["record"]["persistentVolumeClaim"]["mountPath"] == "/records"
    assert spec["ray"]["workers"] == [{"name": "a", "replicas": 1}]


def test_parameters_keep_every_type_of_json(runs: Kubectl) -> None:
    name = _created(runs, FULL)

    assert runs.json("get", RESOURCE, name)["spec"]["parameters"] == FULL["parameters"]


def test_get_shows_a_run_in_one_line(runs: Kubectl) -> None:
    name = _created(runs, SPEC)
    record = {"uri": "s3://runs/mnist/runs/mnist/20261123T010203Z-1a2b3c4d", "state": "Sealed"}
    status = {"phase": "Failed", "reason": "PipelineFailed", "duration": "1m32s", "record": record}
    _patch(runs, name, None, status={**status, "outcome": "FAILED"})

    head, line = runs("get", RESOURCE, name).splitlines()
    wide = runs("get", RESOURCE, name, "--output=wide").split()

    assert head.split() == ["NAME", "PHASE", "REASON", "DURATION", "RECORD", "AGE"]
    assert line.split()[:-1] == [name, "Failed", "PipelineFailed", "1m32s", record["uri"]]
    assert wide[6:9] == ["OUTCOME", "PIPELINE", "MESSAGE"]


def test_runs_are_found_by_phase_and_pipeline_and_under_all_their_names(runs: Kubectl) -> None:
    name = _created(runs, {**SPEC, "pipeline": "found-by-name"})
    _patch(runs, name, None, status={"phase": "Cancelled"})
    found = f"pipelinerun.vaportrail.dev/{name}"
    selector = "--field-selector=spec.pipeline=found-by-name,status.phase=Cancelled"

    for word in ("vtr", RESOURCE):
        assert runs("get", word, selector, "--output=name").split() == [found]
    # All of ours, of which others may have no such fields.
    assert found in runs("get", "vaportrail", "--output=name").split()


def test_kubectl_waits_for_a_condition(runs: Kubectl) -> None:
    name = _created(runs, SPEC)
    condition = {
        "type": "Finished",
        "status": "True",
        "reason": "Completed",
        "lastTransitionTime": "2026-11-23T01:02:03Z",
        "observedGeneration": 1,
    }
    _patch(runs, name, None, status={"phase": "Succeeded", "conditions": [condition]})

    runs.wait(f"{RESOURCE}/{name}", "condition=Finished", timeout=10)


def test_explain_reads_well(runs: Kubectl) -> None:
    said = " ".join(runs("explain", f"{RESOURCE}.spec.record").split())

    assert "DESCRIPTION: Where the record goes. FIELDS:" in said
    root = "The record root, at most 512 bytes: `s3://bucket/prefix`, or `file:///path` on"
    assert f"uri <string> -required- {root}" in said
    assert "secretRef <Object> A Secret whose keys are the provider's environment variables" in said


def _object(name: str, spec: Object) -> Object:
    return {
        "apiVersion": "vaportrail.dev/v1alpha1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": spec,
    }


def _created(kubectl: Kubectl, spec: Object, **more: Any) -> str:
    name = f"run-{next(_NUMBERS)}"
    kept = {key: value for key, value in {**copy.deepcopy(spec), **more}.items() if value is not None}
    # Like `kubectl apply`, but a list would be created without a look at unknown fields.
    kubectl("create", "--validate=strict", "--filename", "-", text=json.dumps(_object(name, kept)))
    return name


def _patch(kubectl: Kubectl, name: str, spec: Object | None, **status: Any) -> None:
    """Patch a run's spec, or with `status=` its status, both as merge patches."""
    words = ["--subresource=status"] if status else []
    patch = json.dumps(status if status else {"spec": spec})
    kubectl("patch", RESOURCE, name, "--type=merge", *words, f"--patch={patch}")
