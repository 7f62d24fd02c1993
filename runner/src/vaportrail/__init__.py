"""Vaportrail: run Python and notebook workflows on Ray, keep one sealed record of each run."""

import typing as _typing

from vaportrail import api as _api
from vaportrail.api import open as open
from vaportrail.api import runs
from vaportrail.authoring.engine import install as _install
from vaportrail.authoring.notebook import notebook, output
from vaportrail.authoring.options import Options
from vaportrail.authoring.pipeline import Pipeline, pipeline
from vaportrail.authoring.results import as_completed, cancel, outcome, result
from vaportrail.authoring.task import Task, task
from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.dataclass_marks import pickle_marks_by_name
from vaportrail.errors import TaskFailed, VaportrailError
from vaportrail.storage.artifacts import Artifact
from vaportrail.telemetry.children import is_child
from vaportrail.telemetry.context import Context, context
from vaportrail.telemetry.hidden import Hidden
from vaportrail.telemetry.logger import log
from vaportrail.version import __version__

if _typing.TYPE_CHECKING:
    from vaportrail.record.manifest import Counts as Counts
    from vaportrail.record.manifest import Manifest as Manifest
    from vaportrail.record.manifest import ReceiptEntry as ReceiptEntry
    from vaportrail.record.manifest import RunInfo as RunInfo
    from vaportrail.record.manifest import TimelineEntry as TimelineEntry
    from vaportrail.record.manifest import VerdictInfo as VerdictInfo
    from vaportrail.record.reading.log_lines import LogLine as LogLine
    from vaportrail.record.reading.metric_points import MetricPoint as MetricPoint
    from vaportrail.record.reading.recorded_run import Run as Run
    from vaportrail.record.reading.recorded_run import TaskRun as TaskRun
    from vaportrail.record.rows import ArtifactInfo as ArtifactInfo
    from vaportrail.record.rows import AttemptInfo as AttemptInfo
    from vaportrail.record.rows import MetricInfo as MetricInfo
    from vaportrail.record.rows import TaskInfo as TaskInfo
    from vaportrail.record.rows import ValueInfo as ValueInfo
    from vaportrail.record.run_facts import Facts as Facts

# Without `open`: `from vaportrail import *` must leave Python's own as it is. Without the types of
# records: what workers import need not read them.
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
    "outcome",
    "output",
    "pipeline",
    "result",
    "runs",
    "task",
]

_OF_RECORDS: _typing.Final = {
    "ArtifactInfo": "vaportrail.record.rows",
    "AttemptInfo": "vaportrail.record.rows",
    "Counts": "vaportrail.record.manifest",
    "Facts": "vaportrail.record.run_facts",
    "LogLine": "vaportrail.record.reading.log_lines",
    "Manifest": "vaportrail.record.manifest",
    "MetricInfo": "vaportrail.record.rows",
    "MetricPoint": "vaportrail.record.reading.metric_points",
    "ReceiptEntry": "vaportrail.record.manifest",
    "Run": "vaportrail.record.reading.recorded_run",
    "RunInfo": "vaportrail.record.manifest",
    "TaskInfo": "vaportrail.record.rows",
    "TaskRun": "vaportrail.record.reading.recorded_run",
    "TimelineEntry": "vaportrail.record.manifest",
    "ValueInfo": "vaportrail.record.rows",
    "VerdictInfo": "vaportrail.record.manifest",
}
"""Types of records by name; their modules are imported when one is asked for."""


def __getattr__(name: str) -> _typing.Any:
    if name not in _OF_RECORDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_OF_RECORDS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_RECORDS})


_install(_api)
pickle_marks_by_name()
if is_child():
    from vaportrail.telemetry.recorded_child import record_child

    record_child()
    del record_child
del is_child, pickle_marks_by_name
