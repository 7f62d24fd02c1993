"""`vaportrail seal-run`: what a sealer's pod runs."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vaportrail.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from vaportrail.cli.redacted import Redaction
from vaportrail.cli.screen import say
from vaportrail.cluster.pod_request import read_request
from vaportrail.cluster.termination_message import (
    TERMINATION_LOG,
    TERMINATION_MESSAGE_VARIABLE,
    write_termination_message,
)
from vaportrail.contract.pod_environment import SEAL_VARIABLE, TERMINATION_MESSAGE_LIMIT
from vaportrail.contract.pod_messages import SealRequest
from vaportrail.errors import SealConflict, UsageError, VaportrailError

if TYPE_CHECKING:
    from vaportrail.contract.pod_messages import SealPlanReport, SealReport

__all__ = ["command"]


@click.command("seal-run", hidden=True)
@click.option("--fix", "fixing", is_flag=True, help="Only fix what is sealed, and leave it in the folder.")
@click.option("--folder", type=click.Path(path_type=Path), help="What is left there is sealed, nothing else.")
def command(fixing: bool, folder: Path | None) -> int:
    """Seal the run that VAPORTRAIL_SEAL_REQUEST asks for; say how in the container's last message.

    A sealer's pod does it in two steps: what the first has fixed is all that the second can seal.
    """
    # Records hold no cycles: looking for some among so many costs a fifth of the time.
    gc.disable()
    # A store may name its keys in what it says.
    plain = Redaction(os.environ)

    def progress(line: str) -> None:
        say(plain(line))

    try:
        if fixing:
            write_termination_message(_fix(_request(os.environ), folder, progress))
            return 0
        report = _seal(_request(os.environ), folder, progress)
    except VaportrailError as error:
        message = plain(" ".join(str(error).split()))
        _write_line(message)
        say(f"not sealed: {message}", err=True)
        # Of these no other try can go better.
        return EXIT_USAGE if isinstance(error, (UsageError, SealConflict)) else EXIT_FAILED
    except Exception as error:
        message = plain(" ".join(f"{type(error).__name__}: {error}".split()))
        _write_line(message)
        raise
    write_termination_message(report)
    say(f"sealed {report.uri} {report.sha256}")
    return 0


def _request(environ: Mapping[str, str]) -> SealRequest:
    return read_request(SealRequest, SEAL_VARIABLE, environ, to="seal a run")


def _fix(request: SealRequest, folder: Path | None, progress: Callable[[str], None]) -> SealPlanReport:
    from vaportrail.record.seal.cluster_seal import fix_seal

    if folder is None:
        raise UsageError("--fix leaves what it fixes in a folder: give --folder")
    return fix_seal(request, folder, progress=progress)


def _seal(request: SealRequest, folder: Path | None, progress: Callable[[str], None]) -> SealReport:
    from vaportrail.record.seal.cluster_seal import seal_run

    return seal_run(request, folder=folder, progress=progress)


def _write_line(message: str) -> None:
    """Leave why there is no answer where the kubelet looks for one."""
    line = message.encode()[:TERMINATION_MESSAGE_LIMIT].decode("utf-8", "ignore")
    Path(os.environ.get(TERMINATION_MESSAGE_VARIABLE, TERMINATION_LOG)).write_text(line, encoding="utf-8")
