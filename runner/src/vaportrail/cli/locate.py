"""The command line's way to a run: `--record`, the argument RUN, and the run that they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from vaportrail.cli.screen import say
from vaportrail.record.reading.find import default_root, find_run
from vaportrail.record.reading.recorded_run import Run

__all__ = ["locate", "root_option", "run_argument"]


def root_option(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--record`, the record root."""
    return click.option(
        "--record", "root", metavar="ROOT", default=default_root, show_default="vaportrail-runs",
        help="Record root: a folder or a URI such as s3://bucket/prefix. Env: VAPORTRAIL_RECORD.",
    )(fn)  # fmt: skip


def run_argument(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument RUN."""
    return click.argument("run", default="latest", metavar="[RUN]")(fn)


def locate(text: str, root: str) -> Run:
    """Return the run that `text` means; of each that cannot be read below the root the user is told.

    Raises:
        RecordNotFound: there is none, or more than one.
    """
    return find_run(text, root, lambda problem: say(f"warning: {problem}", err=True))
