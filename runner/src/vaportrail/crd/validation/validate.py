"""Everything that is wrong with a PipelineRun, at once, in words for the person who wrote it.

Pure: the command line asks before it submits, and the operator before it makes anything.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import pydantic

from vaportrail.crd.documents import load_documents
from vaportrail.crd.pipelinerun import Metadata, PipelineRun, PipelineRunSpec
from vaportrail.crd.status import PipelineRunStatus
from vaportrail.crd.validation.bounds import within_bounds
from vaportrail.crd.validation.problems import Problem, problems_in
from vaportrail.crd.validation.spec_rules import RULES
from vaportrail.errors import UsageError

__all__ = ["Problem", "load_document", "parse_pipelinerun", "problems_of", "read_pipelinerun"]

AnyModel = TypeVar("AnyModel", bound=pydantic.BaseModel)

# What stands in for a required field that cannot be read, while the others are looked at.
_STAND_INS: Final[dict[str, Any]] = {
    "pipeline": "unreadable",
    "entrypoint": "unreadable:unreadable",
    "image": "unreadable",
    "record": {"uri": "s3://unreadable"},
}


def parse_pipelinerun(source: str | Mapping[str, Any]) -> PipelineRun:
    """Return the PipelineRun in a text of YAML or JSON, or in a mapping.

    Raises:
        UsageError: it is none, or is not right; the message names every problem.
    """
    run = read_pipelinerun(load_document(source) if isinstance(source, str) else source)
    problems = problems_of(run)
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise UsageError(f"this PipelineRun cannot run:{lines}")
    return run


def problems_of(run: PipelineRun, left_out: Iterable[Problem] = ()) -> list[Problem]:
    """Return all that is wrong with a run; nothing where it can run as far as it says itself.

    What `read_pipelinerun` could not read counts as well.

    Args:
        run: the run.
        left_out: what `within_bounds` left out of it, where that was done apart.
    """
    unreadable: list[Problem] = [*left_out, *run._unreadable]
    # A field that could not be read has a stand-in, of which there is nothing to say.
    replaced = {_field_of_spec(problem.field) for problem in unreadable if not problem.unknown_field}
    found = [problem for check in RULES for problem in check(run)]
    return unreadable + [problem for problem in found if not replaced & {*_around(problem.field)}]


def _around(path: str) -> tuple[str, str]:
    return path.partition(".")[0], _field_of_spec(path)


def read_pipelinerun(source: Mapping[str, Any]) -> PipelineRun:
    """Return a PipelineRun also where its spec does not fit; `problems_of` then says what does not.

    Such a run has stand-ins where its spec could not be read: nothing may be made for it.

    Raises:
        UsageError: its status cannot be read, as after a downgrade.
    """
    raw, left_out = within_bounds(source)
    problems: list[Problem] = []
    unknown: list[Problem] = []
    try:
        run = _read(PipelineRun, raw)
    except pydantic.ValidationError as error:
        raw, unknown = _without_unknown_fields(raw, error)
        try:
            run = _read(PipelineRun, raw)
        except pydantic.ValidationError as error:
            problems = problems_in(error)
            run = _with_stand_ins(raw, problems)
    run._unreadable = (*left_out, *problems, *unknown)
    return run


def _without_unknown_fields(
    source: Mapping[str, Any], error: pydantic.ValidationError
) -> tuple[dict[str, Any], list[Problem]]:
    raw: dict[str, Any] = copy.deepcopy(dict(source))
    for each in error.errors():
        if each["type"] == "extra_forbidden":
            *way, name = each["loc"]
            holder: Any = raw
            for step in way:
                holder = holder[step]
            del holder[name]
    return raw, [problem for problem in problems_in(error) if problem.unknown_field]


def _with_stand_ins(raw: Mapping[str, Any], problems: list[Problem]) -> PipelineRun:
    broken = {_field_of_spec(problem.field) for problem in problems}
    try:
        return PipelineRun(
            metadata=_read(Metadata, _sound(raw, "metadata", broken)),
            spec=_read(PipelineRunSpec, {**_STAND_INS, **_sound(raw, "spec", broken)}),
            status=_read(PipelineRunStatus, raw.get("status", {})),
        )
    except pydantic.ValidationError:
        words = "; ".join(map(str, problems))
        raise UsageError(f"this PipelineRun cannot be read: {words}") from None


def _sound(raw: Mapping[str, Any], part: str, broken: set[str]) -> dict[str, Any]:
    given = raw.get(part)
    fields = given.items() if isinstance(given, dict) else ()
    return {name: value for name, value in fields if f"{part}.{name}" not in broken}


def load_document(text: str) -> dict[str, Any]:
    """Return the one mapping in a text of YAML or JSON; nothing in it is looked at.

    Raises:
        UsageError: there is none, or more than one.
    """
    documents = load_documents(text)
    if len(documents) != 1:
        raise UsageError(
            f"one PipelineRun is expected, and here are {len(documents)} documents; "
            "put other objects in files of their own"
        )
    if not isinstance(documents[0], dict):
        raise UsageError("this is no PipelineRun: one begins with apiVersion: vaportrail.dev/v1alpha1")
    return documents[0]


def _read(model: type[AnyModel], raw: Any) -> AnyModel:
    # As JSON, because only there a strict look takes a text for a time or an enum's member.
    try:
        text = json.dumps(raw, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"this PipelineRun cannot be said in JSON: {error}") from None
    return model.model_validate_json(text, strict=True)


def _field_of_spec(path: str) -> str:
    return ".".join(path.split(".")[:2]).partition("[")[0]
