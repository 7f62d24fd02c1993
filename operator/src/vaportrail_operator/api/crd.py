"""The CustomResourceDefinitions of `PipelineRun` and `PipelineSchedule`, made from their models."""

from __future__ import annotations

from typing import Any, Final

import yaml
from pydantic import BaseModel

from vaportrail.crd.fields import GROUP, MAP_TYPE, RULES, VERSION
from vaportrail.crd.pipelinerun import RUN_NAME, RUN_NAME_LENGTH, PipelineRun, PipelineRunSpec
from vaportrail.crd.pipelineschedule import (
    SCHEDULE_NAME_LENGTH,
    PipelineSchedule,
    PipelineScheduleSpec,
    RunTemplate,
)
from vaportrail.crd.schedule_status import PipelineScheduleStatus
from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.api.schema import Schema, structural_schema

__all__ = ["pipelinerun_definition", "pipelineschedule_definition", "to_yaml"]

_OUTCOME: Final = "What the code did, kept also when the record is not sealed."


def pipelinerun_definition() -> dict[str, Any]:
    """Return the definition of `PipelineRun` as the API server takes it."""
    schema = _root(PipelineRun, RUN_NAME_LENGTH, structural_schema(PipelineRunSpec), PipelineRunStatus)
    selectable = [{"jsonPath": ".status.phase"}, {"jsonPath": ".spec.pipeline"}]
    return _definition("PipelineRun", "vtr", schema, _columns(), {"selectableFields": selectable})


def pipelineschedule_definition() -> dict[str, Any]:
    """Return the definition of `PipelineSchedule` as the API server takes it."""
    spec = structural_schema(PipelineScheduleSpec)
    # What a user left out of the template is filled in for each run, by the run's own definition.
    spec["properties"]["template"] = structural_schema(RunTemplate, defaults=False)
    schema = _root(PipelineSchedule, SCHEDULE_NAME_LENGTH, spec, PipelineScheduleStatus)
    return _definition("PipelineSchedule", "vts", schema, _schedule_columns(), {})


def _definition(
    kind: str, short: str, schema: Schema, columns: list[dict[str, Any]], more: dict[str, Any]
) -> dict[str, Any]:
    singular = kind.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": f"{singular}s",
                "singular": singular,
                "shortNames": [short],
                "categories": ["vaportrail"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    **more,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def to_yaml(definition: dict[str, Any]) -> str:
    """Return a definition as a file."""
    head = "# Written by `make generate` from the models in vaportrail/crd. Change it there.\n"
    return head + yaml.dump(definition, sort_keys=True, allow_unicode=True, width=110, Dumper=_Dumper)


def _root(kind: type[BaseModel], name_length: int, spec: Schema, status: type[BaseModel]) -> Schema:
    model = kind.model_json_schema(by_alias=True)
    return {
        "type": "object",
        "description": " ".join(model["description"].split()),
        "required": ["spec"],
        **({RULES: model[RULES]} if RULES in model else {}),
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": kind.__name__},
            # Of metadata a definition may say only this.
            "metadata": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": name_length, "pattern": RUN_NAME},
                },
            },
            "spec": spec,
            # The operator says everything there is to say, and the whole at once: who manages which field
            # of it would take more room than the status of most.
            "status": structural_schema(status, defaults=False) | {MAP_TYPE: "atomic"},
        },
    }


def _schedule_columns() -> list[dict[str, Any]]:
    return [
        _column("Schedule", ".spec.schedule", "The expressions."),
        _column("Zone", ".spec.timeZone", "Of the clock that they go by."),
        _column("Suspended", ".status.suspended", "Whether ticks are passed over, and why."),
        _column("Active", ".status.activeCount", "How many runs are live.", kind="integer"),
        _column("Last", ".status.lastTickTime", "The last tick that something became of.", kind="date"),
        _column("Next", ".status.nextTickTime", "When the next is due."),
        _column("Age", ".metadata.creationTimestamp", "Since when it exists.", kind="date"),
        _column("Success", ".status.lastSuccessTime", "When one succeeded last.", kind="date", priority=1),
    ]


def _columns() -> list[dict[str, Any]]:
    return [
        _column("Phase", ".status.phase", "Where the run is in its life."),
        _column("Reason", ".status.reason", "Why it is there."),
        _column("Duration", ".status.duration", "From the creation to the completion."),
        _column("Record", ".status.record.uri", "Where its record lies."),
        _column("Age", ".metadata.creationTimestamp", "Since when it exists.", kind="date"),
        _column("Outcome", ".status.outcome", _OUTCOME, priority=1),
        _column("Pipeline", ".spec.pipeline", "The pipeline's name.", priority=1),
        _column("Message", ".status.message", "Why it is there, in words.", priority=1),
    ]


def _column(
    name: str, path: str, description: str, *, kind: str = "string", priority: int = 0
) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**made, "priority": priority} if priority else made


class _Dumper(yaml.SafeDumper):
    """Repeats what is the same in two places: anchors are no part of Kubernetes' YAML."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
