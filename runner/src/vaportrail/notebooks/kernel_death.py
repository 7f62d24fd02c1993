"""How a kernel that died is told: in which cell, by what, and what the usual cause is."""

from __future__ import annotations

import signal

from vaportrail.contract.outcome import Failure, Outcome
from vaportrail.execution.described_failure import FailureCarrier
from vaportrail.notebooks.notebook_source import cell_name

__all__ = ["kernel_death"]


def kernel_death(notebook: str, running: tuple[int, str] | None, status: int) -> FailureCarrier:
    """Return the end of an attempt whose kernel is gone.

    A kernel that dies in a cell is a lost worker. One that dies before its first cell could not
    start, and would not start the next time either.

    Args:
        notebook: the name of the notebook's file.
        running: the number and the source of the cell that ran; None before the first.
        status: the kernel's exit code, or the negative number of the signal that ended it.
    """
    kind = "nbclient.exceptions.DeadKernelError"
    if running is None:
        when = "before its first cell; its standard error says why"
        message = f"the kernel of {notebook} {_cause_of_death(status)} {when}"
        return FailureCarrier(Failure(type=kind, message=message))
    cell, source = cell_name(running[0]), running[1]
    message = f"the kernel of {notebook} {_cause_of_death(status)} in {cell}{_usual_cause(status)}"
    failure = Failure(type=kind, message=message, traceback=f"{cell}:\n{source}\n")
    return FailureCarrier(failure, outcome=Outcome.WORKER_LOST)


def _cause_of_death(status: int) -> str:
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _usual_cause(status: int) -> str:
    if status == -signal.SIGKILL:
        return ": most often because memory ran out; hold less of it at a time, or ask for it with memory="
    if status in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGILL, -signal.SIGFPE):
        return ": a crash in compiled code"
    return ": something ended its process, such as os._exit()"
