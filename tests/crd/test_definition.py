"""The definition says what the models say, in the form that the API server takes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.crd.drawn import instances

from vaportrail.crd.fields import Model
from vaportrail.crd.pipelinerun import PipelineRunSpec
from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.api.crd import pipelinerun_definition, to_yaml
from vaportrail_operator.api.schema import says_something, structural_schema

Schema = dict[str, Any]

DEFINITION = pipelinerun_definition()
VERSION = DEFINITION["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = ROOT["properties"]["spec"], ROOT["properties"]["status"]
# What is in the hands of users: a definition may say more than this, never less. Replaced at a release.
RELEASED = Path(__file__).parent / "pipelineruns.vaportrail.dev.yaml"


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema inside one, with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for inside in ("items", "additionalProperties"):
        if inside in schema:
            yield from nodes(schema[inside], f"{path}[]")


def test_every_schema_is_bounded_and_has_a_type() -> None:
    wrong = []
    for path, node in nodes(ROOT):
        kind = node.get("type")
        bounded = {
            "string": "maxLength" in node or "enum" in node or path in (".apiVersion", ".kind"),
            "array": "maxItems" in node and "items" in node,
            "object": "properties" in node or "maxProperties" in node,
            None: "x-kubernetes-int-or-string" in node or "x-kubernetes-preserve-unknown-fields" in node,
        }
        if not bounded.get(kind, True) or "$ref" in node or "title" in node:
            wrong.append(path)
    assert wrong == []


def test_every_field_of_ours_is_described() -> None:
    kubernetes_own = re.compile(r"\.(env|envFrom|tolerations|affinity|volumes|volumeMounts)(\[\])?\.")
    silent = [
        path
        for path, node in nodes(ROOT)
        if not path.endswith("[]")
        and "description" not in node
        and path not in ("", ".metadata", ".metadata.name")
        and not kubernetes_own.search(path)
    ]
    assert silent == []


def test_patterns_are_read_alike_by_everybody() -> None:
    lookaround = re.compile(r"\(\?|\\[AZzbBdDwWpP1-9]")
    patterns = {node["pattern"] for _, node in nodes(ROOT) if "pattern" in node}

    assert [
        pattern for pattern in patterns if lookaround.search(pattern) or re.compile(pattern) is None
    ] == []
    assert [pattern for pattern in patterns if not (pattern.startswith("^") and pattern.endswith("$"))] == []


def test_the_file_holds_the_definition() -> None:
    assert yaml.safe_load(to_yaml(DEFINITION)) == json.loads(json.dumps(DEFINITION))


def test_columns_and_selectable_fields_are_fields() -> None:
    paths = {path for path, _ in nodes(ROOT)}
    columns = [column["jsonPath"] for column in VERSION["additionalPrinterColumns"]]
    selectable = [field["jsonPath"] for field in VERSION["selectableFields"]]

    assert set(columns) | set(selectable) <= paths | {".metadata.creationTimestamp"}
    assert [
        column["name"] for column in VERSION["additionalPrinterColumns"] if not column.get("priority")
    ] == [
        "Phase",
        "Reason",
        "Duration",
        "Record",
        "Age",
    ]


def test_what_grows_is_written_as_a_whole() -> None:
    fields = STATUS["properties"]

    lists = ("conditions", "receipt", "leftovers")
    assert {fields[name]["x-kubernetes-list-type"] for name in lists} == {"atomic"}
    assert fields["timeline"]["x-kubernetes-map-type"] == "atomic"


# Defaults.


def filled(schema: Schema, value: Any) -> Any:
    """Fill in defaults as the API server does."""
    if isinstance(value, dict) and "properties" in schema:
        made = copy.deepcopy(value)
        for name, field in schema["properties"].items():
            if name not in made and "default" in field:
                made[name] = copy.deepcopy(field["default"])
            if name in made:
                made[name] = filled(field, made[name])
        return made
    if isinstance(value, list):
        return [filled(schema["items"], each) for each in value]
    return value


def meant(model: BaseModel) -> dict[str, Any]:
    """Return what is in a model and says something."""
    return {
        name: {
            key: value for key, value in dumped.items() if says_something(value)
        } if isinstance(dumped, dict) else dumped
        for name, dumped in model.model_dump(by_alias=True, mode="json").items()
        if says_something(dumped)
    }  # fmt: skip


MINIMAL = {"pipeline": "a", "entrypoint": "a:b", "image": "i", "record": {"uri": "s3://runs"}}


def test_the_api_server_fills_in_what_the_models_take_for_granted() -> None:
    model = PipelineRunSpec.model_validate(MINIMAL)

    assert filled(SPEC, MINIMAL) == meant(model)


@pytest.mark.parametrize(
    "given",
    [
        {"source": {"git": {"url": "https://example.com/a"}}},
        {"record": {"uri": "file:///records/a", "persistentVolumeClaim": {"claimName": "c"}}},
        {"ray": {"workers": [{"name": "a"}, {"name": "b", "replicas": 3}]}},
        {"deadlines": {"runSeconds": 5}},
    ],
)
def test_a_run_means_the_same_with_the_defaults_filled_in(given: dict[str, Any]) -> None:
    spec = {**MINIMAL, **given}

    assert PipelineRunSpec.model_validate(filled(SPEC, spec)) == PipelineRunSpec.model_validate(spec)


def test_the_status_has_no_defaults() -> None:
    assert [path for path, node in nodes(STATUS) if "default" in node] == []


# Whatever one of them accepts, the other does.


def check_round_trip(model: type[BaseModel], schema: Schema, instance: Any) -> None:
    read = model.model_validate_json(json.dumps(instance), strict=True)
    written = read.model_dump(by_alias=True, mode="json", exclude_none=True)

    jsonschema.Draft202012Validator(schema).validate(written)
    assert model.model_validate_json(json.dumps(written), strict=True) == read


@pytest.mark.parametrize("field", sorted(SPEC["properties"]))
@given(data=st.data())
@settings(max_examples=15)
def test_a_spec_that_the_definition_accepts_is_read_written_and_accepted(
    field: str, data: st.DataObject
) -> None:
    instance = {**MINIMAL, field: data.draw(instances(SPEC["properties"][field]))}

    check_round_trip(PipelineRunSpec, SPEC, instance)


@pytest.mark.parametrize("field", sorted(STATUS["properties"]))
@given(data=st.data())
@settings(max_examples=15)
def test_a_status_that_the_definition_accepts_is_read_written_and_accepted(
    field: str, data: st.DataObject
) -> None:
    check_round_trip(PipelineRunStatus, STATUS, {field: data.draw(instances(STATUS["properties"][field]))})


def test_a_message_that_is_too_long_is_cut() -> None:
    status = PipelineRunStatus(message="m" * 5000)

    assert (len(status.message.encode()), status.message[-1]) == (1024, "…")


# What is released stays.


def losses(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """Yield what a definition accepted before, and no longer does."""
    if old.get("type") != new.get("type"):
        yield f"{path}: type"
    if old.get("pattern") != new.get("pattern"):
        yield f"{path}: pattern"
    if set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}: required"
    if "enum" in new and not set(old.get("enum", ())) <= set(new["enum"]):
        yield f"{path}: enum"
    if "enum" in new and "enum" not in old:
        yield f"{path}: enum"
    for bound, sign in (
        ("maxLength", 1),
        ("maxItems", 1),
        ("maxProperties", 1),
        ("maximum", 1),
        ("minimum", -1),
    ):
        worse = bound in new and (bound not in old or (new[bound] - old[bound]) * sign < 0)
        if worse:
            yield f"{path}: {bound}"
    if old.get("default") != new.get("default"):
        yield f"{path}: default"
    for name, field in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name}: removed"
        else:
            yield from losses(field, new["properties"][name], f"{path}.{name}")
    for inside in ("items", "additionalProperties"):
        if inside in old:
            yield from losses(old[inside], new.get(inside, {}), f"{path}[]")


def test_nothing_that_is_released_is_taken_back() -> None:
    released = yaml.safe_load(RELEASED.read_text())["spec"]["versions"][0]
    before = released["schema"]["openAPIV3Schema"]

    assert list(losses(before, ROOT)) == []


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        (lambda spec: spec["properties"].pop("tags"), ".spec.tags: removed"),
        (lambda spec: spec["properties"]["image"].update(maxLength=10), ".spec.image: maxLength"),
        (lambda spec: spec["properties"]["image"].update(pattern="^a$"), ".spec.image: pattern"),
        (lambda spec: spec["required"].append("tags"), ".spec: required"),
        (lambda spec: spec["properties"]["suspend"].update(type="string"), ".spec.suspend: type"),
        (lambda spec: spec["properties"]["image"].update(enum=["a"]), ".spec.image: enum"),
        (
            lambda spec: spec["properties"]["deadlines"]["properties"]["runSeconds"].update(minimum=1),
            ".spec.deadlines.runSeconds: minimum",
        ),
    ],
)
def test_a_loss_is_found(change: Any, loss: str) -> None:
    changed = copy.deepcopy(ROOT)
    change(changed["properties"]["spec"])

    assert list(losses(ROOT, changed)) == [loss]


# What cannot be said.


class _Inner(Model):
    """Inside."""

    name: str = Field(default="", max_length=5)


class _Unbounded(Model):
    """Has no bound."""

    names: list[_Inner] = []


class _Union(Model):
    """Is one thing or another."""

    value: int | _Inner = 1


class _Chain(Model):
    """Holds itself."""

    next: _Chain | None = None


class _Open(Model):
    """An open interval."""

    value: float = Field(default=1, gt=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_Unbounded, "_Unbounded.names: without maxItems"),
        (_Union, "_Union.value: structural schemas have no unions"),
        (_Chain, "_Chain holds itself"),
        (_Open, "_Open.value: say it with an inclusive bound"),
    ],
)
def test_what_no_structural_schema_can_say_raises(model: type[BaseModel], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        structural_schema(model)


class _Words(Model):
    """Words and nothing."""

    word: Literal["a", "b"] | Literal[""] = ""
    """One of them."""
    inner: _Inner | None = None


def test_absence_and_words_are_said_plainly() -> None:
    made = structural_schema(_Words)["properties"]

    assert made["word"] == {"type": "string", "enum": ["a", "b", ""], "description": "One of them."}
    assert made["inner"]["type"] == "object"
    assert made["inner"]["description"] == "Inside."
