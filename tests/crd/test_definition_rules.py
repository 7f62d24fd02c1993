"""The rules that the API server checks, evaluated without one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from cel import Context, evaluate

from vaportrail_operator.api.crd import pipelinerun_definition

Object = dict[str, Any]

SCHEMA = pipelinerun_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC: Object = {
    "cancel": False,
    "suspend": False,
    "ttlSecondsAfterFinished": 604800,
    "pipeline": "mnist",
    "entrypoint": "pipeline:mnist",
    "image": "mnist",
    "record": {"uri": "s3://runs/mnist"},
}
VALUES: Object = {
    "pipeline": "other",
    "entrypoint": "other:mnist",
    "image": "other",
    "serviceAccountName": "other",
    "source": {"configMap": {"name": "code"}},
    "parameters": {"sizes": [1, 2]},
    "tags": {"team": "vision"},
    "record": {"uri": "s3://runs/other"},
    "ray": {"workers": [{"name": "a", "replicas": 2}]},
    "runner": {"resources": {"limits": {"cpu": 1}}},
    "collector": {"pod": {"nodeSelector": {"pool": "small"}}},
    "sealer": {"serviceAccountName": "sealer"},
    "podDefaults": {"env": [{"name": "A", "value": "1"}]},
    "telemetry": {"spoolLimit": "1Gi"},
    "deadlines": {"runSeconds": 60},
}
MUTABLE = {"cancel", "suspend", "ttlSecondsAfterFinished"}
REQUIRED = set(SCHEMA["properties"]["spec"]["required"])


def refused(new: Object, old: Object | None = None) -> list[str]:
    """Return where an update, or without `old` a creation, is refused: the rules' own paths."""
    return list(_refused(SCHEMA, new, old, ""))


def _refused(schema: Object, new: Any, old: Any, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        transition = "oldSelf" in rule["rule"]
        if transition and old is None:
            continue
        variables = {"self": new, "oldSelf": old} if transition else {"self": new}
        if not evaluate(rule["rule"], Context(variables=variables, functions={"dyn": lambda value: value})):
            yield f"{path}{rule.get('fieldPath', '')}"
    for name, field in schema.get("properties", {}).items():
        if isinstance(new, dict) and name in new:
            yield from _refused(
                field, new[name], old.get(name) if isinstance(old, dict) else None, f"{path}.{name}"
            )


def run(spec: Object, **more: Any) -> Object:
    return {"metadata": {"name": "mnist"}, "spec": spec, **more}


def test_every_field_of_the_spec_is_mutable_or_has_its_rule() -> None:
    assert set(VALUES) | MUTABLE == set(SCHEMA["properties"]["spec"]["properties"])


@pytest.mark.parametrize("field", VALUES)
def test_a_field_cannot_be_changed(field: str) -> None:
    old = {**SPEC, field: VALUES[field]}
    other = [] if isinstance(VALUES[field], list) else {"x": 1} if isinstance(VALUES[field], dict) else "x"
    if field == "record":
        other = {"uri": "s3://other"}

    assert refused(run({**old, field: other}), run(old)) == [f".spec.{field}"]


@pytest.mark.parametrize("field", sorted(set(VALUES) - REQUIRED))
def test_a_field_can_be_neither_added_nor_removed(field: str) -> None:
    without, with_it = run(SPEC), run({**SPEC, field: VALUES[field]})

    assert refused(with_it, without) == [f".spec.{field}"]
    assert refused(without, with_it) == [f".spec.{field}"]


@pytest.mark.parametrize("change", [{"cancel": True}, {"suspend": True}, {"ttlSecondsAfterFinished": 5}])
def test_the_mutable_fields_can_be_changed(change: Object) -> None:
    spec = {**SPEC, **VALUES}

    assert refused(run({**copy.deepcopy(spec), **change}), run(spec)) == []


def test_a_cancel_cannot_be_taken_back() -> None:
    assert refused(run({**SPEC, "cancel": False}), run({**SPEC, "cancel": True})) == [".spec.cancel"]


def test_a_message_names_the_field_and_the_way_out() -> None:
    rules = {rule["fieldPath"]: rule for rule in SCHEMA["properties"]["spec"]["x-kubernetes-validations"]}

    assert rules[".image"]["message"] == "spec.image cannot be changed; delete this run and create another"
    assert {rule["reason"] for rule in rules.values()} == {"FieldValueForbidden"}


SOURCES: Object = {
    "git": {"url": "https://example.com/a"},
    "configMap": {"name": "code"},
    "archive": {"uri": "s3://runs/a", "sha256": "0" * 64},
}


@pytest.mark.parametrize(
    ("kinds", "places"),
    [
        ((), []),
        (("git",), []),
        (("configMap",), []),
        (("archive",), []),
        (("git", "configMap"), [".spec.source"]),
        (("git", "archive"), [".spec.source"]),
        (("configMap", "archive"), [".spec.source"]),
        (("git", "configMap", "archive"), [".spec.source"]),
    ],
)
def test_there_is_at_most_one_source(kinds: tuple[str, ...], places: list[str]) -> None:
    source = {kind: SOURCES[kind] for kind in kinds}

    assert refused(run({**SPEC, "source": source})) == places


@pytest.mark.parametrize(
    ("record", "places"),
    [
        ({"uri": "s3://runs"}, []),
        ({"uri": "file:///records"}, [".spec.record.persistentVolumeClaim"]),
        ({"uri": "file:///records", "persistentVolumeClaim": {"claimName": "records"}}, []),
    ],
)
def test_a_root_on_a_volume_needs_its_claim(record: Object, places: list[str]) -> None:
    assert refused(run({**SPEC, "record": record})) == places


@pytest.mark.parametrize("ended", ["Succeeded", "Failed", "Cancelled"])
@pytest.mark.parametrize("status", [{"phase": "Running"}, {"phase": ""}, {}, None, {"phase": "Succeeded"}])
def test_a_run_that_ended_stays_as_it_ended(ended: str, status: Object | None) -> None:
    new = run(SPEC) if status is None else run(SPEC, status=status)
    kept = status is not None and status.get("phase") == ended

    assert refused(new, run(SPEC, status={"phase": ended})) == ([] if kept else [".status.phase"])


@pytest.mark.parametrize("old", [None, {}, {"phase": ""}, {"phase": "Running"}])
def test_a_run_that_has_not_ended_can_end(old: Object | None) -> None:
    before = run(SPEC) if old is None else run(SPEC, status=old)

    assert refused(run(SPEC, status={"phase": "Failed"}), before) == []
