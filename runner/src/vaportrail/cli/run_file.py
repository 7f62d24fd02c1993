"""`vaportrail run -f`: what of a PipelineRun's file counts on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaportrail.errors import EntrypointError, UsageError
from vaportrail.storage import layout

if TYPE_CHECKING:
    from vaportrail.crd.pipelinerun import PipelineRunSpec
    from vaportrail.execution.prepare import Prepared

__all__ = ["RunFile", "read_run_file"]


@dataclass(frozen=True, slots=True)
class RunFile:
    """What a file asks for, as far as it can be had without a cluster.

    Attributes:
        entrypoint: `module:pipeline`.
        pipeline: what the record's folder is called; as the pipeline itself is where it is empty.
        name: the run's.
        notes: what is not done as it is written there.
    """

    entrypoint: str
    pipeline: str = ""
    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def placed(self, prepared: Prepared) -> Prepared:
        """Return a run whose record lies where the cluster would put it: below `spec.pipeline`."""
        if not self.pipeline:
            return prepared
        settings = prepared.settings
        identity = replace(settings.identity, pipeline=self.pipeline)
        return replace(
            prepared, settings=replace(settings, identity=identity, path=layout.run_path(identity))
        )


def read_run_file(file: Path, due: str = "") -> RunFile:
    """Read a PipelineRun, or a PipelineSchedule's template, and put its code's folder on Python's path.

    The code is looked for in the current folder, then in the file's.

    Args:
        file: the file.
        due: when the run is due, RFC 3339: what parameters follow from; empty: they are left out.

    Raises:
        UsageError: the file is neither that could run in a cluster; all problems are named.
        EntrypointError: the module is in neither folder, and not installed.
    """
    from vaportrail.cli.text_file import read_text
    from vaportrail.crd.pipelineschedule import parameters_at
    from vaportrail.crd.validation.schedule_rules import parse_pipelineschedule
    from vaportrail.crd.validation.validate import load_document, parse_pipelinerun

    notes: list[str] = []
    timed: dict[str, str] = {}
    spec: PipelineRunSpec
    try:
        document = load_document(read_text(file))
        if document.get("kind") == "PipelineSchedule":
            schedule = parse_pipelineschedule(document)
            name, spec = schedule.metadata.name, schedule.spec.template.spec
            notes.append(f"{schedule.metadata.name} is run once, now: a schedule's ticks do not count here")
            if due:
                timed = parameters_at(schedule.spec, datetime.fromisoformat(due))
            elif sources := schedule.spec.template.parameters_from:
                left = ", ".join(sources)
                notes.append(f"parametersFrom: {left} left out, as --scheduled-time is not given")
        else:
            run = parse_pipelinerun(document)
            name, spec = run.metadata.name, run.spec
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    folder = _folder_of(spec.entrypoint, file)
    given = {"git": spec.source.git, "configMap": spec.source.config_map, "archive": spec.source.archive}
    notes += [
        f"spec.source.{kind} is not fetched here: the code is that in {folder}"
        for kind, source in given.items()
        if source is not None
    ]
    return RunFile(
        spec.entrypoint,
        pipeline=spec.pipeline,
        name=name,
        parameters={**spec.parameters, **timed},
        tags=spec.tags,
        notes=tuple(notes),
    )


def _folder_of(entrypoint: str, file: Path) -> str:
    from importlib.util import find_spec

    top = entrypoint.partition(":")[0].partition(".")[0]
    for folder in (os.getcwd(), str(file.resolve().parent)):
        if Path(folder, top).is_dir() or Path(folder, f"{top}.py").is_file():
            if folder not in sys.path:
                sys.path.insert(0, folder)
            return folder
    if find_spec(top) is None:
        raise EntrypointError(
            f"{entrypoint!r}: there is no module {top!r} in {os.getcwd()} or in {file.resolve().parent}; "
            "start where the code is"
        )
    return "Python's own search path"
