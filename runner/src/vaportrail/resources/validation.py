"""Everything that is wrong with a PipelineRun, at once, in words for the person who wrote it.

Pure: the command line asks before it submits, and the operator before it makes anything.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, TypeVar

import pydantic
import yaml

from vaportrail.errors import UsageError
from vaportrail.resources.pipelinerun import Metadata, PipelineRun, PipelineRunSpec
from vaportrail.resources.problems import Problem, problems_in
from vaportrail.resources.rules import RULES
from vaportrail.resources.status import PipelineRunStatus

__all__ = ["Problem", "load_document", "load_value", "parse_pipelinerun", "problems_of", "read_pipelinerun"]

AnyModel = TypeVar("AnyModel", bound=pydantic.BaseModel)

_MARKS: Final = ("[", "{", '"', "'")
_WHOLE: Final = 2**63
"""An API server makes a float of a number from here on."""

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


def problems_of(run: PipelineRun) -> list[Problem]:
    """Return all that is wrong with a run; nothing where it can run as far as it says itself.

    What `read_pipelinerun` could not read counts as well.
    """
    unreadable: list[Problem] = list(run._unreadable)
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
        UsageError: not even its metadata or its status can be read, as after a downgrade.
    """
    try:
        return _read(PipelineRun, dict(source))
    except pydantic.ValidationError as error:
        raw, unknown = _without_unknown_fields(source, error)
    problems: list[Problem] = []
    try:
        run = _read(PipelineRun, raw)
    except pydantic.ValidationError as error:
        problems = problems_in(error)
        run = _with_stand_ins(raw, {_field_of_spec(problem.field) for problem in problems})
    run._unreadable = (*problems, *unknown)
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


def _with_stand_ins(raw: Mapping[str, Any], broken: set[str]) -> PipelineRun:
    given = raw.get("spec")
    kept = {
        name: value
        for name, value in (given if isinstance(given, dict) else {}).items()
        if f"spec.{name}" not in broken
    }
    try:
        return PipelineRun(
            metadata=_read(Metadata, raw.get("metadata", {})),
            spec=_read(PipelineRunSpec, {**_STAND_INS, **kept}),
            status=_read(PipelineRunStatus, raw.get("status", {})),
        )
    except pydantic.ValidationError as error:
        words = "; ".join(map(str, problems_in(error)))
        raise UsageError(f"this PipelineRun cannot be read: {words}") from None


def load_document(text: str) -> dict[str, Any]:
    """Return the one mapping in a text of YAML or JSON; nothing in it is looked at.

    Raises:
        UsageError: there is none, or more than one.
    """
    try:
        documents = [each for each in yaml.load_all(text, Loader=_Loader) if each is not None]
    except yaml.YAMLError as error:
        raise UsageError(f"this is neither YAML nor JSON: {error}") from None
    if len(documents) != 1:
        raise UsageError(
            f"one PipelineRun is expected, and here are {len(documents)} documents; "
            "put other objects in files of their own"
        )
    if not isinstance(documents[0], dict):
        raise UsageError("this is no PipelineRun: one begins with apiVersion: vaportrail.dev/v1alpha1")
    return documents[0]


def load_value(text: str) -> Any:
    """Return the JSON value that a text means for itself.

    What begins with a bracket, a brace or a quote is YAML, and so JSON, too. A decimal number, `true`,
    `false` and `null` are what they are in JSON. All else is text as it stands, also what YAML would
    take for a number (`010`, `12:30`), for a truth (`yes`) or for a comment, and a number that JSON
    does not carry whole.

    >>> load_value("[1, 2]"), load_value("1.5"), load_value("010"), load_value('"1.10"'), load_value("{")
    ([1, 2], 1.5, '010', '1.10', '{')
    """
    try:
        if text.lstrip().startswith(_MARKS):
            return yaml.load(text, Loader=_Loader)
        value = json.loads(text)
    except (ValueError, yaml.YAMLError):
        return str(text)
    carried = isfinite(value) if isinstance(value, float) else abs(value or 0) < _WHOLE
    return value if carried else str(text)


class _Loader(yaml.SafeLoader):
    """Reads dates as texts, as Kubernetes' own tools do."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read(model: type[AnyModel], raw: Any) -> AnyModel:
    # As JSON, because only there a strict look takes a text for a time or an enum's member.
    try:
        text = json.dumps(raw, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"this PipelineRun cannot be said in JSON: {error}") from None
    return model.model_validate_json(text, strict=True)


def _field_of_spec(path: str) -> str:
    return ".".join(path.split(".")[:2]).partition("[")[0]
