"""`vaportrail run`"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vaportrail.cli.entrypoint import load_pipeline
from vaportrail.cli.locate import root_option
from vaportrail.cli.run_file import RunFile, read_run_file
from vaportrail.cli.screen import say
from vaportrail.errors import RecordError, SpoolError, UsageError, VaportrailError

if TYPE_CHECKING:
    from vaportrail.contract.run_identity import RunSettings
    from vaportrail.execution.prepare import Prepared
    from vaportrail.execution.verdict import Verdict

__all__ = ["command"]


@click.command("run")
@click.argument("entrypoint", metavar="[MODULE:PIPELINE]", required=False)
@click.option("-f", "--file", "run_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Run what a PipelineRun's file says, instead of MODULE:PIPELINE.")  # fmt: skip
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE",
              help="A parameter; lists and mappings in YAML or JSON. Repeatable.")  # fmt: skip
@click.option("-P", "--parameters", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Parameters from a YAML or JSON file; a -p of the same name wins.")  # fmt: skip
@root_option
@click.option("--name", metavar="NAME", help="What to call the run.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A word to find it by. Repeatable.")
@click.option("--scheduled-time", metavar="TIME",
              help="When the run is due, as a schedule has it, such as 2027-03-28T04:00:00Z: what "
              "context().scheduled_time says.")  # fmt: skip
@click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="CPUs for Ray; all unless given.")
@click.option("--plain", is_flag=True, help="Plain progress lines, also on a terminal.")
@click.option(
    "--keep-spool", is_flag=True, help="Leave the spool, too; sealing it again gives the same bytes."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(
    entrypoint: str | None, run_file: Path | None, assignments: tuple[str, ...], file: Path | None,
    root: str, name: str | None, tags: tuple[str, ...], scheduled_time: str | None, cpus: int | None,
    plain: bool, keep_spool: bool, as_json: bool,
) -> int:  # fmt: skip
    """Run a pipeline on an embedded Ray and seal its record.

    MODULE:PIPELINE is an importable module, or a file, and the pipeline in it, such as
    mnist.pipeline:mnist or hello.py:hello. Progress goes to standard error, the end to standard
    output. Exits with 0 only if the run succeeded and its record is sealed.

    With -f the pipeline, its parameters, its tags and the run's name are those of a PipelineRun's file;
    -p, --tag and --name win. Its code is looked for in the current folder, then in the file's. Its
    record is not: --record says where it goes, as always. Images, pods and deadlines do not count here.

    \b
    Exit codes: 0 succeeded, 1 failed or not sealed, 2 bad input (nothing was started),
    130 cancelled (Ctrl-C, SIGTERM or SIGHUP; a second one stops at once).
    """
    from vaportrail.authoring.parameters import parse_assignments, read_parameter_file

    due = _time(scheduled_time)
    asked = _asked(entrypoint, run_file, due)
    pipeline = load_pipeline(asked.entrypoint)
    parameters: dict[str, Any] = {**asked.parameters, **(read_parameter_file(file) if file else {})}
    parameters |= parse_assignments(assignments)
    _require_run_extra()
    from vaportrail.cli.signals import cancelling
    from vaportrail.execution.alone import alone
    from vaportrail.execution.local import embedded_ray
    from vaportrail.execution.observers import Aside
    from vaportrail.execution.prepare import keep_to_oneself, prepare
    from vaportrail.execution.run import execute

    with alone(pipeline.name):
        prepared = prepare(
            pipeline,
            parameters,
            root=root,
            name=name or asked.name,
            tags={**asked.tags, **_parse_tags(tags)},
            entrypoint=asked.entrypoint,
            scheduled_time=due,
        )
        prepared = asked.placed(prepared)
        from vaportrail.cli.progress import make_progress
        from vaportrail.cli.redacted import RedactedProgress, Redaction

        settings = prepared.settings
        try:
            with make_progress(plain=plain) as shown, cancelling() as cancellation:
                keep_to_oneself(settings)
                progress = RedactedProgress(shown, Redaction(os.environ))
                verdict = execute(prepared, progress, embedded_ray(cpus=cpus), cancellation=cancellation)
                with Aside(progress) as told:
                    told.stage("sealing the record")
        except SpoolError as error:
            raise RecordError(f"the run has ended: {error}. {_cure(settings)}") from error
    return _seal_and_report(prepared, verdict, keep_spool=keep_spool, as_json=as_json)


def _asked(entrypoint: str | None, run_file: Path | None, due: str) -> RunFile:
    if entrypoint is not None and run_file is not None:
        raise UsageError("give MODULE:PIPELINE or -f FILE, not both")
    if run_file is not None:
        asked = read_run_file(run_file, due)
        for note in asked.notes:
            say(f"note: {note}", err=True)
        return asked
    if entrypoint is None:
        raise click.UsageError("Missing argument 'MODULE:PIPELINE' (or -f FILE).")
    return RunFile(entrypoint)


def _seal_and_report(prepared: Prepared, verdict: Verdict, *, keep_spool: bool, as_json: bool) -> int:
    from vaportrail.cli.exit_codes import EXIT_CANCELLED, exit_code
    from vaportrail.cli.progress import let_go
    from vaportrail.cli.redacted import Redaction
    from vaportrail.cli.run_summary import report
    from vaportrail.record.reading.read import open_run
    from vaportrail.record.seal.local_seal import seal_spool

    settings = prepared.settings
    ended = Redaction(os.environ)(f"the run is over ({verdict.outcome.value}: {verdict.message})")
    before = signal.getsignal(signal.SIGTERM)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sealed = seal_spool(Path(settings.spool), root=settings.root, warn=_warn, keep_spool=keep_spool)
    except (VaportrailError, OSError) as error:
        raise RecordError(f"{ended}, but its record is not sealed: {error}. {_cure(settings)}") from error
    except KeyboardInterrupt:
        say(f"interrupted: {ended}, but its record is not sealed. {_cure(settings)}", err=True)
        return EXIT_CANCELLED
    finally:
        signal.signal(signal.SIGTERM, before)
    run = open_run(settings.record_uri)
    try:
        run.tell_result(prepared.returned.value, missing=prepared.returned.missing)
        return report(run, sealed.sha256, as_json=as_json, ran_here=True)
    except OSError:  # whoever read our output has gone; how the run ended has not
        let_go(sys.stdout)
        return exit_code(run.outcome)


def _warn(line: str) -> None:
    with suppress(OSError):  # our output may be gone
        say(line, err=True)


def _cure(settings: RunSettings) -> str:
    spool = Path(settings.spool)
    local = str(spool.parents[1])
    into = "" if settings.root == local else f" --into {settings.root}"
    return (
        f"Everything is kept in {spool}; where the disk is full make room, then: "
        f"vaportrail seal {spool.name[:8]} --record {local}{into}"
    )


def _parse_tags(tags: tuple[str, ...]) -> dict[str, str]:
    parsed: dict[str, str] = {}
    for tag in tags:
        key, equals, value = tag.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {tag!r} is not NAME=VALUE, such as team=vision")
        parsed[key] = value
    return parsed


def _time(text: str | None) -> str:
    if text is None:
        return ""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"--scheduled-time: {text!r} is no time with an offset; use such as 2027-03-28T04:00:00Z"
    )


def _require_run_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("ray", "jupytext", "nbclient") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"running a pipeline needs {', '.join(missing)}, which this installation does not have: "
            "pip install 'vaportrail[run]'"
        )
