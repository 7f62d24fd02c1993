"""The CustomResourceDefinition of `PipelineRun`, made from its models."""

from __future__ import annotations

from typing import Any, Final

import yaml

from vaportrail.crd.fields import GROUP, MAP_TYPE, RULES, VERSION
from vaportrail.crd.pipelinerun import RUN_NAME, RUN_NAME_LENGTH, PipelineRun, PipelineRunSpec
from vaportrail.crd.status import PipelineRunStatus
from vaportrail_operator.api.schema import Schema, structural_schema

__all__ = ["pipelinerun_definition", "to_yaml"]

_OUTCOME: Final = "What the code did, kept also when the record is not sealed."


def pipelinerun_definition() -> dict[str, Any]:
    """Return the definition as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"pipelineruns.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "PipelineRun",
                "listKind": "PipelineRunList",
                "plural": "pipelineruns",
                "singular": "pipelinerun",
                "shortNames": ["vtr"],
                "categories": ["vaportrail"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "selectableFields": [{"jsonPath": ".status.phase"}, {"jsonPath": ".spec.pipeline"}],
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def to_yaml(definition: dict[str, Any]) -> str:
    """Return a definition as a file."""
    head = "# Written by `make generate` from the models in vaportrail/crd. Change it there.\n"
    return head + yaml.dump(definition, sort_keys=True, allow_unicode=True, width=110, Dumper=_Dumper)


def _root() -> Schema:
    model = PipelineRun.model_json_schema(by_alias=True)
    return {
        "type": "object",
        "description": " ".join(model["description"].split()),
        "required": ["spec"],
        RULES: model[RULES],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": "PipelineRun"},
            # Of metadata a definition may say only this.
            "metadata": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": RUN_NAME_LENGTH, "pattern": RUN_NAME},
                },
            },
            "spec": structural_schema(PipelineRunSpec),
            # The operator says everything there is to say, and the whole at once: who manages which field
            # of it would take more room than the status of most runs.
            "status": structural_schema(PipelineRunStatus, defaults=False) | {MAP_TYPE: "atomic"},
        },
    }


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
