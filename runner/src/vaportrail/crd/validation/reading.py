"""Reading a resource field by field: what does not fit is named, and all else is looked at too."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pydantic

from vaportrail.crd.documents import load_documents
from vaportrail.crd.pipelinerun import Metadata, PipelineRun
from vaportrail.crd.pipelineschedule import PipelineSchedule
from vaportrail.crd.validation.bounds import within_bounds
from vaportrail.crd.validation.problems import Problem, problems_in
from vaportrail.errors import UsageError

__all__ = ["ResourceReader", "field_of_spec", "load_document"]

Resource = TypeVar("Resource", PipelineRun, PipelineSchedule)
AnyModel = TypeVar("AnyModel", bound=pydantic.BaseModel)


@dataclass(frozen=True, slots=True)
class ResourceReader(Generic[Resource]):
    """How a kind is read.

    Attributes:
        kind: its model.
        spec: the model of its spec.
        status: the model of its status.
        stand_ins: for a required field of the spec that cannot be read, while the others are looked at.
    """

    kind: type[Resource]
    spec: type[pydantic.BaseModel]
    status: type[pydantic.BaseModel]
    stand_ins: Mapping[str, Any]

    def read(self, source: Mapping[str, Any]) -> Resource:
        """Return a resource also where its spec does not fit, with stand-ins and what was unreadable.

        Raises:
            UsageError: its status cannot be read, as after a downgrade.
        """
        problems: list[Problem] = []
        left_out: list[Problem]
        raw, left_out = within_bounds(source)
        unknown: list[Problem] = []
        try:
            read = self._read(self.kind, raw)
        except pydantic.ValidationError as error:
            raw, unknown = self._without_unknown_fields(raw, error)
            try:
                read = self._read(self.kind, raw)
            except pydantic.ValidationError as error:
                problems = problems_in(error, self.kind)
                read = self._with_stand_ins(raw, problems)
        read._unreadable = (*left_out, *problems, *unknown)
        return read

    def _without_unknown_fields(
        self, source: Mapping[str, Any], error: pydantic.ValidationError
    ) -> tuple[dict[str, Any], list[Problem]]:
        raw: dict[str, Any] = copy.deepcopy(dict(source))
        for each in error.errors():
            if each["type"] == "extra_forbidden":
                *way, name = each["loc"]
                holder: Any = raw
                for step in way:
                    holder = holder[step]
                del holder[name]
        return raw, [problem for problem in problems_in(error, self.kind) if problem.unknown_field]

    def _with_stand_ins(self, raw: Mapping[str, Any], problems: list[Problem]) -> Resource:
        broken = {field_of_spec(problem.field) for problem in problems}
        try:
            return self.kind(
                metadata=self._read(Metadata, _sound(raw, "metadata", broken)),
                spec=self._read(self.spec, {**self.stand_ins, **_sound(raw, "spec", broken)}),
                status=self._read(self.status, raw.get("status", {})),
            )
        except pydantic.ValidationError:
            words = "; ".join(map(str, problems))
            raise UsageError(f"this {self.kind.__name__} cannot be read: {words}") from None

    def _read(self, model: type[AnyModel], raw: Any) -> AnyModel:
        # As JSON, because only there a strict look takes a text for a time or an enum's member.
        try:
            text = json.dumps(raw, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"this {self.kind.__name__} cannot be said in JSON: {error}") from None
        return model.model_validate_json(text, strict=True)


def _sound(raw: Mapping[str, Any], part: str, broken: set[str]) -> dict[str, Any]:
    given = raw.get(part)
    fields = given.items() if isinstance(given, dict) else ()
    return {name: value for name, value in fields if f"{part}.{name}" not in broken}


def load_document(text: str, kind: str = "PipelineRun") -> dict[str, Any]:
    """Return the one mapping in a text of YAML or JSON; nothing in it is looked at.

    Args:
        text: of a file.
        kind: what is expected.

    Raises:
        UsageError: there is none, or more than one.
    """
    documents = load_documents(text)
    if len(documents) != 1:
        raise UsageError(
            f"one {kind} is expected, and here are {len(documents)} documents; "
            "put other objects in files of their own"
        )
    if not isinstance(documents[0], dict):
        raise UsageError(f"this is no {kind}: one begins with apiVersion: vaportrail.dev/v1alpha1")
    return documents[0]


def field_of_spec(path: str) -> str:
    """Return the field of the spec that a path is in, such as `spec.record`."""
    return ".".join(path.split(".")[:2]).partition("[")[0]
