"""`vaportrail export`"""

from __future__ import annotations

from pathlib import Path

import click

from vaportrail.cli.locate import locate, root_option, run_argument
from vaportrail.cli.screen import say
from vaportrail.errors import UsageError

__all__ = ["command"]


@click.group("export")
def command() -> None:
    """Turn a record into something else: a diagram, a folder."""


@command.command("mermaid")
@run_argument
@root_option
@click.option("--gantt", is_flag=True, help="When the attempts ran, instead of what needs what.")
def mermaid(run: str, root: str, gantt: bool) -> None:
    """Print a Mermaid diagram of the run's tasks, as Markdown viewers draw it."""
    from vaportrail.export.mermaid import flowchart, gantt_chart

    facts = locate(run, root).facts
    for line in (gantt_chart(facts) if gantt else flowchart(facts)).splitlines():
        say(line)


@command.command("tree")
@run_argument
@root_option
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where to; a new folder, named after the run unless given.")  # fmt: skip
def tree(run: str, root: str, target: Path | None) -> int:
    """Unpack a record: a folder a task, with its files under their own names.

    Exits with 1 if a file is damaged or gone; all others are written.
    """
    from vaportrail.export.tree import write_tree

    found = locate(run, root)
    folder = target or Path(found.uri.rstrip("/").rpartition("/")[2])
    left_out: list[str] = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} exists and is not empty: give a new folder with --output")
        folder.mkdir(parents=True, exist_ok=True)
        count = write_tree(found, folder, left_out.append)
    except OSError as error:
        why = f"{folder} cannot be written: {error.strerror or error}"
        raise UsageError(f"{why}; give another folder with --output") from None
    for line in left_out:
        say(line, err=True)
    say(f"{count} files in {folder}")
    return 1 if left_out else 0
