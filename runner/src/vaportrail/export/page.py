"""A run's page, as lines of text: the verdict first, then tasks, failures, values, files.

Reading the record is all that it does: who shows the page prints it, and says how outcomes are marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vaportrail.contract.otlp_signals import COUNTED
from vaportrail.contract.outcome import Outcome
from vaportrail.export.formatting import brief, duration, size
from vaportrail.record.label import call_label
from vaportrail.record.manifest import count_of
from vaportrail.record.reading.recorded_run import Run
from vaportrail.record.rows import AttemptInfo, MetricInfo
from vaportrail.record.times import from_rfc3339
from vaportrail.telemetry.log_types import VALUE_TYPES

__all__ = [
    "Mark",
    "attempt_failure_lines",
    "body_failure_lines",
    "loss_lines",
    "page_lines",
    "summary",
    "verdict_line",
]

Mark = Callable[[Outcome, str], str]
"""Returns an outcome's word as it is shown, such as in a colour."""
_ID_WIDTH: Final = 60
_TRACEBACK_LINES: Final = 100
_LINE_LENGTH: Final = 1000
"""What is longer is whole in the record; here it would bury everything else."""


def unmarked(_outcome: Outcome, text: str) -> str:
    """Return the text as it is."""
    return text


def summary(run: Run) -> dict[str, object]:
    """Return a run as one JSON object."""
    return {
        "uri": run.uri,
        "uid": run.facts.run.uid,
        "name": run.name,
        "pipeline": run.facts.run.pipeline,
        "outcome": run.outcome.value,
        "message": run.facts.verdict.message,
        "sealed": run.sealed,
        "seal_command": run.seal_command,
        "created": run.facts.run.created,
        "duration_seconds": run.facts.verdict.duration_seconds,
        "tasks": run.facts.verdict.tasks,
        "parameters": run.facts.run.parameters,
        "tags": run.facts.run.tags,
    }


def verdict_line(run: Run, mark: Mark = unmarked) -> str:
    """Return the one line that says how a run ended."""
    verdict = run.facts.verdict
    state = "sealed" if run.sealed else "running" if run.alive else "not sealed"
    return (
        f"{mark(run.outcome, run.outcome.value)}  {run.facts.run.pipeline}/{run.name}  "
        f"{duration(verdict.duration_seconds)}  {state}: {verdict.message}"
    )


def page_lines(run: Run, mark: Mark = unmarked) -> Iterator[str]:
    """Yield the lines of a run's page."""
    facts = run.facts
    yield verdict_line(run, mark)
    yield f"record      {run.uri}"
    if run.seal_command:
        yield f"seal it     {run.seal_command}"
    if run.parameters:
        yield "parameters  " + ", ".join(f"{k}={v}" for k, v in run.parameters.items())
    if run.tags:
        yield "tags        " + ", ".join(f"{k}={v}" for k, v in run.tags.items())
    git = facts.environment.get("git")
    if isinstance(git, dict) and git.get("revision"):
        dirty = " (changed)" if git.get("dirty") else ""
        yield f"revision    {str(git['revision'])[:12]} on {git.get('branch') or '?'}{dirty}"
    counts = facts.counts
    made = ", ".join(f"{count_of(counts, signal).recorded} {signal.noun}" for signal in COUNTED)
    yield f"telemetry   {made}, loss: {_loss(run)}"
    yield from loss_lines(run)
    yield ""
    yield from _tasks(run, mark)
    yield from body_failure_lines(run, mark)
    yield from attempt_failure_lines(run, mark)
    yield from _values(run)


def _loss(run: Run) -> str:
    counts = run.facts.counts
    if counts.loss == "None":
        return "none"
    if counts.loss == "Counted":
        return f"{counts.lost} records"
    return f"{counts.lost} records or more" if counts.lost else "unknown"


def loss_lines(run: Run) -> Iterator[str]:
    """Yield why nobody can say how much is missing from the record."""
    for reason in run.facts.counts.loss_reasons:
        yield f"loss        unknown: {reason}"


def _tasks(run: Run, mark: Mark) -> Iterator[str]:
    table = run.facts.table
    width = min(max((len(owner) for owner in table.owners()), default=4), _ID_WIDTH)
    for task in run.facts.tasks:
        seconds = _running_seconds(table.of(task.id, "attempt")) if task.attempts else None
        time = duration(seconds) if seconds is not None else ""
        more = f"  after {task.attempts} attempts" if task.attempts > 1 else ""
        because = f"  because {task.cause} did not succeed" if task.cause else ""
        because += "  (allowed)" if task.allow_failure and not task.outcome.ok else ""
        head = f"{mark(task.outcome, task.outcome.value.ljust(11))} {task.id:<{width}}  {time:>7}"
        yield f"{head}  {call_label(task.name, task.arguments)}{more}{because}"


def _running_seconds(attempts: Sequence[AttemptInfo]) -> float | None:
    """Return how long a task's attempts ran, queueing left out; None where none did."""
    spans = [attempt for attempt in attempts if attempt.started and attempt.ended]
    if not spans:
        return None
    return sum(from_rfc3339(a.ended) - from_rfc3339(a.started) for a in spans) / 1e9


def body_failure_lines(run: Run, mark: Mark = unmarked) -> Iterator[str]:
    """Yield what the pipeline's body raised, unless that was a task's failure, which is told there."""
    failure = run.facts.verdict.failure
    if failure is not None and failure.type != "vaportrail.errors.TaskFailed":
        yield ""
        head = f"{mark(Outcome.FAILED, Outcome.FAILED.value)} the pipeline's body"
        yield f"{head}: {failure.type}: {brief(failure.message)}"
        yield from _indented(failure.traceback)


def _indented(traceback: str) -> Iterator[str]:
    lines = traceback.rstrip().splitlines()
    for line in [*lines[:_TRACEBACK_LINES], *(["…"] if len(lines) > _TRACEBACK_LINES else [])]:
        yield f"    {line[:_LINE_LENGTH]}{'…' if len(line) > _LINE_LENGTH else ''}"


def attempt_failure_lines(run: Run, mark: Mark = unmarked) -> Iterator[str]:
    """Yield every failed attempt's failure; of those that did no harm without their tracebacks."""
    table = run.facts.table
    for attempt in run.facts.attempts:
        if attempt.failure is None or attempt.outcome.ok:
            continue
        task = next(iter(table.of(attempt.task, "task")), None)
        harmless = task is not None and (task.outcome.ok or task.allow_failure)
        head, *rest = _failure_lines(attempt, mark)
        yield ""
        if harmless and task is not None:
            yield f"{head} ({'retried' if task.outcome.ok else 'allowed'})"
        else:
            yield head
            yield from rest


def _failure_lines(attempt: AttemptInfo, mark: Mark) -> Iterator[str]:
    """Yield an attempt's failure with its traceback."""
    failure = attempt.failure
    assert failure is not None
    head = f"{mark(attempt.outcome, attempt.outcome.value)} {attempt.task}, attempt {attempt.attempt}"
    yield f"{head}: {failure.type}: {brief(failure.message)}"
    yield from _indented(failure.traceback)


def _values(run: Run) -> Iterator[str]:
    facts = run.facts
    if any(facts.table.totals[each.kind] for each in VALUE_TYPES):
        yield ""
        yield "logged"
    for each in VALUE_TYPES:
        for row in facts.table.rows(each.kind):
            said = _number(row) if each.numbers else row.value
            yield f"  {row.task or '(pipeline)':<20} {row.name} = {said}"
    if facts.artifacts:
        yield ""
        total = sum(artifact.size for artifact in facts.artifacts)
        count = len(facts.artifacts)
        yield f"files       {count}, {size(total)}; unpack them with: vaportrail export tree"


def _number(metric: MetricInfo) -> str:
    steps = f"  (last of {metric.count}, {metric.min:g} … {metric.max:g})" if metric.count > 1 else ""
    return f"{metric.last:.6g}{steps}"
