"""How the command line says that a run is over: its failures, its verdict, its record."""

from __future__ import annotations

from vaportrail.cli.exit_codes import exit_code
from vaportrail.cli.ls_command import summary
from vaportrail.cli.screen import say, say_json
from vaportrail.cli.show_command import (
    attempt_failure_lines,
    body_failure_lines,
    loss_lines,
    verdict_line,
)
from vaportrail.record.read import Run

__all__ = ["report"]


def report(run: Run, sha256: str, *, as_json: bool) -> int:
    """Print how a sealed run ended; return the exit code that says so.

    Args:
        run: a sealed run.
        sha256: its manifest's hash.
        as_json: print one JSON object instead of lines.
    """
    if as_json:
        say_json({**summary(run), "sha256": sha256})
    else:
        failures = [*body_failure_lines(run), *attempt_failure_lines(run)]
        for line in [*failures[1:], ""] if failures else []:  # they begin with an empty line
            say(line)
        say(verdict_line(run))
        for line in loss_lines(run):
            say(line)
        say(f"record      {run.uri}")
        say(f"sha256      {sha256}")
    return exit_code(run.outcome)
