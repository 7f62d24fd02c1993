"""Everything that is wrong with a PipelineRun, at once, in words for the person who wrote it.

Pure: the command line asks before it submits, and the operator before it makes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from vaportrail.crd.pipelinerun import PipelineRun, PipelineRunSpec
from vaportrail.crd.status import PipelineRunStatus
from vaportrail.crd.validation.problems import Problem
from vaportrail.crd.validation.reading import ResourceReader, field_of_spec, load_document
from vaportrail.crd.validation.spec_rules import RULES
from vaportrail.errors import UsageError

__all__ = [
    "RUN_STAND_INS",
    "Problem",
    "around",
    "load_document",
    "parse_pipelinerun",
    "problems_of",
    "read_pipelinerun",
]

# What stands in for a required field that cannot be read, while the others are looked at.
RUN_STAND_INS: Final[Mapping[str, Any]] = {
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
    replaced = {field_of_spec(problem.field) for problem in unreadable if not problem.unknown_field}
    found = [problem for check in RULES for problem in check(run)]
    return unreadable + [problem for problem in found if not replaced & {*around(problem.field)}]


def around(path: str) -> tuple[str, str]:
    """Return what a problem at a path is part of: the spec, and its field."""
    return path.partition(".")[0], field_of_spec(path)


def read_pipelinerun(source: Mapping[str, Any]) -> PipelineRun:
    """Return a PipelineRun also where its spec does not fit; `problems_of` then says what does not.

    Such a run has stand-ins where its spec could not be read: nothing may be made for it.

    Raises:
        UsageError: its status cannot be read, as after a downgrade.
    """
    return _READER.read(source)


_READER: Final = ResourceReader(PipelineRun, PipelineRunSpec, PipelineRunStatus, RUN_STAND_INS)
