"""The definition of PipelineSchedule: no defaults in its template, and its rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cel import Context, evaluate
from tests.crd.messages import RUN

from vaportrail_operator.api.crd import pipelineschedule_definition, to_yaml

Object = dict[str, Any]

DEFINITION = pipelineschedule_definition()
SCHEMA = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC: Object = {"schedule": "0 6 * * *", "template": {"spec": RUN["spec"]}}


def nodes(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for inside in ("items", "additionalProperties"):
        if isinstance(schema.get(inside), dict):
            yield from nodes(schema[inside], f"{path}[]")


def refused(schema: Object, value: Any, path: str = "") -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not evaluate(rule["rule"], Context(variables={"self": value})):
            yield f"{path}{rule.get('fieldPath', '')}"
    for name, field in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            yield from refused(field, value[name], f"{path}.{name}")


def test_its_names_are_the_kinds() -> None:
    names = DEFINITION["spec"]["names"]
    assert DEFINITION["metadata"]["name"] == "pipelineschedules.vaportrail.dev"
    assert (names["plural"], names["shortNames"], names["listKind"]) == (
        "pipelineschedules", ["vts"], "PipelineScheduleList",
    )  # fmt: skip
    assert SCHEMA["properties"]["metadata"]["properties"]["name"]["maxLength"] == 31


def test_no_rule_of_it_forbids_an_edit() -> None:
    # Those of a run do: nothing of its spec changes.
    rules = [rule["rule"] for _, node in nodes(SCHEMA) for rule in node.get("x-kubernetes-validations", ())]
    assert rules
    assert [rule for rule in rules if "oldSelf" in rule] == []


def test_nothing_is_filled_into_the_template() -> None:
    template = SCHEMA["properties"]["spec"]["properties"]["template"]
    assert [path for path, node in nodes(template) if "default" in node] == []
    assert SCHEMA["properties"]["spec"]["properties"]["concurrencyPolicy"]["default"] == "Allow"


def test_it_is_a_file_that_kubernetes_reads() -> None:
    assert len(to_yaml(DEFINITION).encode()) < 262_144, "kubectl apply keeps it whole in an annotation"


REFUSED: dict[str, tuple[Object, list[str]]] = {
    "what is right": ({}, []),
    "several lines": ({"schedule": "\n 0 6 * * mon-fri\n\n@daily\r\n"}, []),
    "four fields": ({"schedule": "* * * *"}, [".spec.schedule"]),
    "six fields": ({"schedule": "0 * * * * *"}, [".spec.schedule"]),
    "a second line of four": ({"schedule": "0 6 * * *\n* * * *"}, [".spec.schedule"]),
    "blanks": ({"schedule": " \n "}, [".spec.schedule"]),
    "a zone in it": ({"schedule": "TZ=UTC 0 6 * * *"}, [".spec.schedule", ".spec.schedule"]),
    "the n-th weekday": ({"schedule": "0 6 * * 5#2"}, [".spec.schedule"]),
    "a question mark": ({"schedule": "0 6 ? * 5"}, [".spec.schedule"]),
    "a short deadline": ({"startingDeadlineSeconds": 59}, [".spec.startingDeadlineSeconds"]),
    "a deadline": ({"startingDeadlineSeconds": 60}, []),
    "all side by side": ({"catchUp": {"policy": "All"}, "concurrencyPolicy": "Allow"}, []),
    "all with Forbid": (
        {"catchUp": {"policy": "All"}, "concurrencyPolicy": "Forbid"},
        [".spec.catchUp.policy"],
    ),
    "a cancel": (
        {"template": {"spec": {**RUN["spec"], "cancel": False}}},
        [".spec.template.spec.cancel"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_api_server_refuses_what_it_can_see(name: str) -> None:
    spec, expected = REFUSED[name]
    assert list(refused(SCHEMA, {"metadata": {"name": "a"}, "spec": {**SPEC, **spec}})) == expected
