"""`vaportrail show`"""

from __future__ import annotations

import click

from vaportrail.cli.locate import locate, root_option, run_argument
from vaportrail.cli.screen import say, say_json_pieces, style_outcome
from vaportrail.export.page import page_lines

__all__ = ["command"]


@click.command("show")
@run_argument
@root_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the manifest and all rows.")
def command(run: str, root: str, as_json: bool) -> None:
    """Show one run: the verdict first, then tasks, values, files.

    RUN is a record's folder or URI, a run's name, the start of its id, or `latest` (the default).
    """
    found = locate(run, root)
    if as_json:
        say_json_pieces(found.facts.json_pieces())
        return
    for text in page_lines(found, style_outcome):
        say(text)
