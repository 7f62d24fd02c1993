"""`vaportrail logs`"""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Final

import click

from vaportrail.cli.locate import locate, root_option, run_argument
from vaportrail.cli.screen import say, say_json, say_text, style
from vaportrail.errors import UsageError
from vaportrail.export import formatting

__all__ = ["command"]

_NAMED: Final = 50
"""Tasks that are named where all are meant."""


@click.command("logs")
@run_argument
@root_option
@click.option("--task", "task_id", metavar="ID", help="Only of this task, such as train-2.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(run: str, root: str, task_id: str | None, as_json: bool) -> None:
    """Print a run's log lines and output, in the order they were made.

    RUN is a record's folder or URI, a run's name, the start of its id, or `latest` (the default).
    """
    found = locate(run, root)
    if task_id is not None and found.facts.table.number_of(task_id) is None:
        ids = [task.id for task in islice(found.facts.tasks, _NAMED)]
        more = len(found.facts.tasks) - len(ids)
        rest = f" and {more} more" if more > 0 else ""
        raise UsageError(f"--task {task_id!r} is no task of this run; it has {', '.join(ids)}{rest}")
    count = 0
    for line in found.logs(task=task_id):
        count += 1
        if as_json:
            say_json(asdict(line))
            continue
        owner = f"{line.task}" + (f"#{line.attempt}" if line.attempt > 1 else "")
        source = style(line.source, dim=True)
        say_text(f"{formatting.short_time(line.time)} {owner or '(pipeline)':<20} {source} {line.text}")
    for problem in found.problems:
        if as_json:
            say_json({"problem": problem})
        say(f"warning: {problem}", err=True)
    if not count and not found.problems:
        say("no log lines and no output", err=True)
