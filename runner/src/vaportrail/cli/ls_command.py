"""`vaportrail ls`"""

from __future__ import annotations

import click

from vaportrail.cli.locate import root_option
from vaportrail.cli.screen import say, say_json, style, style_outcome
from vaportrail.errors import RecordError
from vaportrail.export import formatting
from vaportrail.export.page import summary
from vaportrail.record.reading.read import scan_runs
from vaportrail.record.reading.recorded_run import Run

__all__ = ["command"]


@click.command("ls")
@root_option
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@click.option("-n", "--limit", default=50, show_default=True, help="How many runs, newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(root: str, pipeline: str | None, limit: int, as_json: bool) -> None:
    """List the runs below a record root, newest first."""
    shown = 0
    for run in scan_runs(root, pipeline=pipeline):
        if isinstance(run, RecordError):
            say(f"warning: {run}", err=True)
            if as_json:
                say_json({"error": str(run)})
            continue
        if shown == limit:
            say(f"… and more: raise -n (now {limit})", err=True)
            break
        if as_json:
            say_json(summary(run))
        else:
            if not shown:
                say(f"{'OUTCOME':<12} {'PIPELINE':<16} {'DURATION':>9}  {'TASKS':>5}  RUN")
            say(line(run))
        shown += 1
    if not shown:
        say(f"no runs below {root}", err=True)


def line(run: Run) -> str:
    """Return a run as one line of the list."""
    verdict = run.facts.verdict
    name = run.uri.rpartition("/")[2]
    called = f" ({run.name})" if run.name != name else ""
    open_still = "  running" if run.alive else f"  not sealed: {run.seal_command}"
    state = "" if run.sealed else style(open_still, fg="cyan")
    seconds = formatting.duration(verdict.duration_seconds)
    outcome = style_outcome(run.outcome, run.outcome.value.ljust(12))
    return (
        f"{outcome} {run.facts.run.pipeline:<16} {seconds:>9}  "
        f"{run.facts.head.totals.get('tasks', 0):>5}  {name}{called}{state}"
    )
