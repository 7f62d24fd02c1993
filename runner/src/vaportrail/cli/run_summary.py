"""How the command line says that a run is over: its failures, its verdict, its record."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from vaportrail.cli.exit_codes import exit_code
from vaportrail.cli.redacted import Redaction
from vaportrail.cli.screen import say, say_json, style_outcome
from vaportrail.export.page import (
    attempt_failure_lines,
    body_failure_lines,
    loss_lines,
    summary,
    verdict_line,
)
from vaportrail.record.reading.recorded_run import Run
from vaportrail.telemetry.described import describe

__all__ = ["report", "result_lines", "result_text"]

_WIDTH: Final = 300
"""How much of a result is shown; it is no place to look at data."""


def report(run: Run, sha256: str, *, as_json: bool, ran_here: bool = False) -> int:
    """Print how a sealed run ended; return the exit code that says so.

    Args:
        run: a sealed run.
        sha256: its manifest's hash.
        as_json: print one JSON object instead of lines.
        ran_here: whether this process ran it, and so knows what the pipeline returned.
    """
    if as_json:
        result = {"result": _described(_returned(run), Redaction(os.environ))} if ran_here else {}
        say_json({**summary(run), **result, "sha256": sha256})
    else:
        failures = [*body_failure_lines(run, style_outcome), *attempt_failure_lines(run, style_outcome)]
        for line in [*failures[1:], ""] if failures else []:  # they begin with an empty line
            say(line)
        say(verdict_line(run, style_outcome))
        for line in loss_lines(run):
            say(line)
        for line in result_lines(run, os.environ) if ran_here else []:
            say(line)
        say(f"record      {run.uri}")
        say(f"sha256      {sha256}")
    return exit_code(run.outcome)


def result_lines(run: Run, environ: Mapping[str, str]) -> list[str]:
    """Return what the pipeline returned in one short line, described as the record describes arguments."""
    try:
        value = run.result
    except LookupError as error:
        # Where the run failed, its end says enough.
        return [f"result      {_short(Redaction(environ)(str(error)))}"] if run.outcome.ok else []
    return [] if value is None else [f"result      {result_text(value, Redaction(environ))}"]


def result_text(value: Any, redaction: Redaction) -> str:
    """Return what a pipeline returned in a few words without secrets and control characters."""
    return _short(json.dumps(_described(value, redaction), ensure_ascii=False))


def _described(value: Any, redaction: Redaction) -> Any:
    return redaction.tree(describe(value, plain=redaction))


def _returned(run: Run) -> Any:
    try:
        return run.result
    except LookupError:
        return None


def _short(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return shown if len(shown) <= _WIDTH else f"{shown[:_WIDTH]}..."
