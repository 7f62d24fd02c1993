"""Vaportrail: run Python and notebook workflows on Ray, keep one sealed record of each run."""

from vaportrail.api import open, runs
from vaportrail.authoring.hidden import Hidden
from vaportrail.authoring.notebook import notebook, output
from vaportrail.authoring.options import Options
from vaportrail.authoring.pipeline import Pipeline, pipeline
from vaportrail.authoring.results import as_completed, cancel, outcome, result
from vaportrail.authoring.task import Task, task
from vaportrail.contract import Failure, Outcome
from vaportrail.errors import TaskFailed, VaportrailError
from vaportrail.storage.artifacts import Artifact
from vaportrail.telemetry.context import Context, context
from vaportrail.telemetry.logger import log
from vaportrail.version import __version__

__all__ = [
    "Artifact",
    "Context",
    "Failure",
    "Hidden",
    "Options",
    "Outcome",
    "Pipeline",
    "Task",
    "TaskFailed",
    "VaportrailError",
    "__version__",
    "as_completed",
    "cancel",
    "context",
    "log",
    "notebook",
    "open",
    "outcome",
    "output",
    "pipeline",
    "result",
    "runs",
    "task",
]
