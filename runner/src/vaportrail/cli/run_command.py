"""`vaportrail run`"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from vaportrail.cli.entrypoint import load_pipeline
from vaportrail.cli.locate import root_option
from vaportrail.errors import UsageError, VaportrailError

if TYPE_CHECKING:
    from vaportrail.execution.run import Cancellation

__all__ = ["command"]


@click.command("run")
@click.argument("entrypoint", metavar="MODULE:PIPELINE")
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE",
              help="A parameter; lists and mappings in YAML or JSON. Repeatable.")  # fmt: skip
@click.option("-P", "--parameters", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Parameters from a YAML or JSON file; a -p of the same name wins.")  # fmt: skip
@root_option
@click.option("--name", metavar="NAME", help="What to call the run.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A word to find it by. Repeatable.")
@click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="CPUs for Ray; all unless given.")
@click.option("--plain", is_flag=True, help="Plain progress lines, also on a terminal.")
@click.option(
    "--keep-spool", is_flag=True, help="Leave the spool, too; sealing it again gives the same bytes."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(
    entrypoint: str, assignments: tuple[str, ...], file: Path | None, root: str, name: str | None,
    tags: tuple[str, ...], cpus: int | None, plain: bool, keep_spool: bool, as_json: bool,
) -> int:  # fmt: skip
    """Run a pipeline on an embedded Ray and seal its record.

    MODULE:PIPELINE is an importable module, or a file, and the pipeline in it, such as
    mnist.pipeline:mnist or hello.py:hello. Progress goes to standard error, the end to standard
    output. Exits with 0 only if the run succeeded and its record is sealed.

    \b
    Exit codes: 0 succeeded, 1 failed or not sealed, 2 bad input (nothing was started),
    130 cancelled (Ctrl-C or SIGTERM; a second one stops at once).
    """
    from vaportrail.authoring.parameters import parse_assignments, read_parameter_file

    pipeline = load_pipeline(entrypoint)
    parameters: dict[str, Any] = read_parameter_file(file) if file else {}
    parameters |= parse_assignments(assignments)
    _require_run_extra()
    from vaportrail.execution.run import execute, prepare

    prepared = prepare(
        pipeline, parameters, root=root, name=name, tags=_parse_tags(tags), entrypoint=entrypoint
    )
    from vaportrail.cli.progress import make_progress

    with make_progress(plain=plain) as progress, _cancelling() as cancellation:
        execute(prepared, progress, cancellation=cancellation, cpus=cpus)
        progress.milestone("sealing the record")
    return _seal_and_report(
        prepared.settings.spool, prepared.settings.record_uri, keep_spool=keep_spool, as_json=as_json
    )


def _seal_and_report(spool: str, uri: str, *, keep_spool: bool, as_json: bool) -> int:
    from vaportrail.cli.ls_command import summary
    from vaportrail.cli.show_command import attempt_failure_lines, body_failure_lines, verdict_line
    from vaportrail.contract import Outcome
    from vaportrail.record.local_seal import seal_spool
    from vaportrail.record.read import open_run

    try:
        sealed = seal_spool(Path(spool), keep_spool=keep_spool)
    except VaportrailError as error:
        uid = Path(spool).name
        raise type(error)(
            f"the run is over, but its record is not sealed: {error}. Everything is kept in {spool}; "
            f"seal it later with: vaportrail seal {uid[:8]} --record {Path(spool).parent.parent}"
        ) from error
    run = open_run(uri)
    if as_json:
        click.echo(json.dumps({**summary(run), "sha256": sealed.sha256}))
    else:
        failures = [*body_failure_lines(run), *attempt_failure_lines(run)]
        for line in [*failures[1:], ""] if failures else []:  # they begin with an empty line
            click.echo(line)
        click.echo(verdict_line(run))
        click.echo(f"record      {uri}\nsha256      {sealed.sha256}")
    if run.outcome is Outcome.CANCELLED:
        return 130
    return 0 if run.outcome is Outcome.SUCCEEDED else 1


def _parse_tags(tags: tuple[str, ...]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for tag in tags:
        key, equals, value = tag.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {tag!r} is not NAME=VALUE, such as team=vision")
        parsed[key] = value
    return parsed


def _require_run_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("ray", "jupytext", "nbclient") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"running a pipeline needs {', '.join(missing)}, which this installation does not have: "
            "pip install 'vaportrail[run]'"
        )


@contextmanager
def _cancelling() -> Iterator[Cancellation]:
    """Cancel the run at the first SIGINT or SIGTERM, end the process at the second."""
    from vaportrail.execution.run import Cancellation

    cancellation, heard = Cancellation(), 0

    def hear(signum: int, _frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > 1:
            os.write(2, b"stopped at once; what there is can be sealed with: vaportrail seal\n")
            os._exit(130)
        os.write(2, b"cancelling the run; once more stops at once\n")
        cancellation.request(signal.Signals(signum).name)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
