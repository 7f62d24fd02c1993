"""`vaportrail runner`: what a runner's pod runs.

The process is the first of its container, which no signal ends that it does not handle. So it
handles SIGTERM before it loads what it needs.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vaportrail.cli.exit_codes import EXIT_FAILED, EXIT_USAGE, exit_code
from vaportrail.errors import UsageError, VaportrailError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vaportrail.cluster.join import Join
    from vaportrail.contract.pod_messages import RunRequest

__all__ = ["command"]


@click.command("runner", hidden=True)
def command() -> None:
    """Run what VAPORTRAIL_RUN_REQUEST asks for on a Ray cluster; answer in the container's last message.

    \b
    Exit codes: 0 succeeded, 1 failed, 2 bad input, 130 cancelled (SIGTERM; a second one stops at once).
    """
    early: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: early.append(number))
    request = _request()
    from vaportrail.cluster.join import Join

    # Ray's sockets lie in it, and their paths are bounded.
    folder = Path(tempfile.mkdtemp(prefix="vtray-"))
    join = Join(request.head, request.gcs_port, request.join_seconds, folder)
    join.start()
    code = EXIT_FAILED
    try:
        code = _drive(request, join, early)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        join.leave()
    # Nothing is left to be done here that the end of the process does not do quicker.
    os._exit(code)


def _request() -> RunRequest:
    from vaportrail.cluster.pod_request import read_request
    from vaportrail.cluster.termination_message import write_termination_message
    from vaportrail.contract.outcome import Outcome
    from vaportrail.contract.pod_environment import REQUEST_VARIABLE
    from vaportrail.contract.pod_messages import RunReport, RunRequest

    try:
        return read_request(RunRequest, REQUEST_VARIABLE, os.environ, to="run a pipeline")
    except UsageError as error:
        write_termination_message(RunReport(outcome=Outcome.FAILED, message=str(error)))
        raise


def _drive(request: RunRequest, join: Join, early: Sequence[int]) -> int:
    from vaportrail.cli.entrypoint import load_pipeline
    from vaportrail.cli.progress import PlainProgress
    from vaportrail.cli.redacted import RedactedProgress, Redaction
    from vaportrail.cli.run_summary import result_text
    from vaportrail.cli.signals import cancelling
    from vaportrail.cluster.cluster_run import drive
    from vaportrail.cluster.termination_message import write_termination_message
    from vaportrail.contract.outcome import Outcome
    from vaportrail.contract.pod_environment import READY_PORT, SPOOL_FOLDER, SPOOL_VARIABLE
    from vaportrail.contract.pod_messages import RunReport
    from vaportrail.execution.observers import Unfailing

    redaction = Redaction(os.environ)

    def say(report: RunReport) -> None:
        write_termination_message(report.model_copy(update={"message": redaction(report.message)}))

    def stopped() -> None:
        write_termination_message(
            RunReport(outcome=Outcome.CANCELLED, message="stopped at once, by a second signal")
        )
        join.leave()

    spool = Path(os.environ.get(SPOOL_VARIABLE, SPOOL_FOLDER))
    try:
        with (
            PlainProgress(sys.stderr) as shown,
            cancelling("stopped at once", stopped, early) as cancellation,
        ):
            progress = RedactedProgress(shown, redaction)
            ended = drive(
                request,
                join,
                load=load_pipeline,
                spool=spool,
                ready_port=READY_PORT,
                progress=progress,
                cancellation=cancellation,
            )
        Unfailing(progress).stage(f"{ended.report.outcome.value}: {ended.report.message}")
        if ended.result is not None:
            Unfailing(progress).stage(f"result: {result_text(ended.result, redaction)}")
        say(ended.report)
    except BaseException as error:  # also what would end Python in peace, such as SystemExit
        redaction.look()
        with suppress(OSError, ValueError):  # a log that takes no more does not keep the answer back
            sys.stderr.write(redaction(traceback.format_exc()))
        known = isinstance(error, VaportrailError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        say(RunReport(outcome=Outcome.FAILED, message=message))
        return EXIT_FAILED
    return EXIT_USAGE if ended.bad_input else exit_code(ended.report.outcome)
