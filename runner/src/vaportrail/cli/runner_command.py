"""`vaportrail runner`: what a runner's pod runs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vaportrail.cli.answer import write_answer
from vaportrail.contract import Outcome
from vaportrail.errors import UsageError
from vaportrail.handover import (
    READY_PORT,
    REQUEST_VARIABLE,
    SPOOL_FOLDER,
    SPOOL_VARIABLE,
    RunAnswer,
    RunRequest,
)

if TYPE_CHECKING:
    from vaportrail.cluster.join import Join

__all__ = ["command"]


@click.command("runner", hidden=True)
def command() -> None:
    """Run what VAPORTRAIL_RUN_REQUEST asks for on a Ray cluster; answer in the container's last message.

    \b
    Exit codes: 0 succeeded, 1 failed, 2 bad input, 130 cancelled (SIGTERM; a second one stops at once).
    """
    try:
        request = _request()
    except UsageError as error:
        write_answer(RunAnswer(outcome=Outcome.FAILED, message=str(error)))
        raise
    from vaportrail.cluster.join import Join

    # Ray's sockets lie in it, and their paths are bounded.
    folder = Path(tempfile.mkdtemp(prefix="vtray-"))
    join = Join(request.head, request.gcs_port, request.join_seconds, folder)
    join.start()
    code = 1
    try:
        code = _drive(request, join)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        join.leave()
    # Nothing is left to be done here that the end of the process does not do quicker.
    os._exit(code)


def _request() -> RunRequest:
    text = os.environ.get(REQUEST_VARIABLE)
    if text is None:
        raise UsageError(f"{REQUEST_VARIABLE} is not set; it holds what to run")
    try:
        return RunRequest.model_validate_json(text)
    except ValueError as error:
        raise UsageError(f"{REQUEST_VARIABLE} is not a request to run a pipeline: {error}") from None


def _drive(request: RunRequest, join: Join) -> int:
    from vaportrail.cli.cancelling import cancelling
    from vaportrail.cli.entrypoint import load_pipeline
    from vaportrail.cli.progress import make_progress
    from vaportrail.cluster.run import drive

    def stopped() -> None:
        write_answer(RunAnswer(outcome=Outcome.CANCELLED, message="stopped at once, by a second signal"))
        join.leave()

    spool = Path(os.environ.get(SPOOL_VARIABLE, SPOOL_FOLDER))
    try:
        with make_progress(plain=True) as progress, cancelling("stopped at once", stopped) as cancellation:
            ended = drive(
                request,
                join,
                load=load_pipeline,
                spool=spool,
                ready_port=READY_PORT,
                progress=progress,
                cancellation=cancellation,
            )
    except BaseException as error:
        write_answer(RunAnswer(outcome=Outcome.FAILED, message=f"{type(error).__name__}: {error}"))
        raise
    progress.milestone(f"{ended.answer.outcome.value}: {ended.answer.message}")
    write_answer(ended.answer)
    return ended.code
