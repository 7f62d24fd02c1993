"""Inside a notebook's kernel: an IPython extension that ties the kernel to the attempt.

It is loaded by the attempt that starts the kernel. Cells become spans, `vaportrail.log`, `logging`
and the user's own spans work with no set-up, and upstream values are there to be named.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import pickle
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vaportrail.errors import UsageError
from vaportrail.notebooks.followed_files import DESCRIPTORS
from vaportrail.notebooks.notebook_source import cell_name
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.notebook_outputs import send_outputs_to
from vaportrail.telemetry.private_files import read_private, write_private

__all__ = ["load_ipython_extension", "upstream"]

ENVIRONMENT = "VAPORTRAIL_KERNEL"
CONFIG_FILE = "config.json"
PARAMETERS_FILE = "parameters.pickle"
OUTPUTS_FILE = "outputs.pickle"
FAILURE_FILE = "failure.pickle"
_UNWRITTEN = "what a notebook's cells printed and what could not be written, as where a disk is full"

_parameters: dict[str, bytes] = {}


def upstream(name: str) -> Any:
    """Return the value that the notebook was called with under `name`.

    Raises:
        UsageError: there is none, as where a kept notebook is opened by itself.
    """
    if name not in _parameters:
        raise UsageError(
            f"upstream({name!r}): the value is not here: it lived in the run that called this notebook; "
            f"set {name} yourself"
        )
    return pickle.loads(_parameters[name])


class CellSpans:
    """Writes one span a cell and makes it the parent of what the cell does."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        from vaportrail.contract.run_identity import RunSettings
        from vaportrail.telemetry.active_recorder import install
        from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
        from vaportrail.telemetry.stdlib_logging import install_handler
        from vaportrail.telemetry.tracing import install_provider

        settings = RunSettings.from_json(config["settings"])
        self._attempt = AttemptScope(**config["scope"])
        self._folder = folder
        self._recorder = install(settings, "kernel")
        self._cells: list[int] = config["cells"]
        self._notebook: str = config["notebook"]
        self._executed = 0
        self._depth = 0
        self._open: tuple[int, str, int, dict[str, Any]] | None = None
        self._attached: tuple[Any, Any] = (None, None)
        set_attempt_scope(self._attempt, settings)
        install_handler()
        install_provider()

    def code_name(self, *_code: Any) -> str:
        """Return what tracebacks call the running cell's code."""
        return f"{self._notebook}, {cell_name(self._cells[max(0, self._executed - 1)])}"

    def before(self, info: Any) -> None:
        """Open the next cell's span."""

        from opentelemetry import context as otel_context

        from vaportrail.telemetry import conventions as c
        from vaportrail.telemetry.attempt_scope import set_attempt_scope
        from vaportrail.telemetry.identity import cell_span_id
        from vaportrail.telemetry.tracing import parent_context

        self._depth += 1
        if self._depth > 1 or self._executed >= len(self._cells):  # a cell may run cells, as `%run` does
            return
        number = self._cells[self._executed]
        self._executed += 1
        first = next((line for line in str(info.raw_cell).splitlines() if line.strip()), "")
        values = {
            c.CELL_NUMBER: number,
            c.CELL_SOURCE: self._recorder.plain(first)[:200],
            c.TASK_RUN_ID: self._attempt.task_id,
            c.ATTEMPT: self._attempt.attempt,
        }
        span_id = cell_span_id(self._attempt.span_id, number)
        start = self._recorder.clock()
        self._open = (number, span_id, start, values)
        self._recorder.span_started(
            cell_name(number), span_id, self._attempt.span_id, values=values, unix_nano=start
        )
        set_attempt_scope(self._attempt._replace(span_id=span_id))
        context = parent_context(self._recorder.trace_id, span_id)
        self._attached = (otel_context.attach(context), context)

    def after(self, result: Any) -> None:
        """Close the cell's span and keep a failing cell's exception."""
        from opentelemetry import context as otel_context

        from vaportrail.telemetry.attempt_scope import set_attempt_scope

        self._depth = max(0, self._depth - 1)
        if self._depth or self._open is None:
            return
        number, span_id, start, values = self._open
        self._open = None
        # Where a cell that awaits was interrupted there is no result.
        error = result and (result.error_before_exec or result.error_in_exec)
        failure = None
        if isinstance(error, BaseException):
            from vaportrail.execution.described_failure import describe_failure
            from vaportrail.execution.travelling_exception import pickled

            failure = describe_failure(error)
            write_private(self._folder / FAILURE_FILE, pickle.dumps((number, failure, pickled(error))))
        self._recorder.span(
            cell_name(number),
            span_id,
            self._attempt.span_id,
            start,
            self._recorder.clock(),
            values=values,
            ok=failure is None,
            message=failure.message if failure else "",
            failure=failure,
        )
        token, context = self._attached
        if otel_context.get_current() is context:  # a cell that awaits had a context of its own
            otel_context.detach(token)
        set_attempt_scope(self._attempt)


def _wait_for_readers(iopub: Any) -> None:
    """Have what is printed faster than it is read wait; the socket would drop it without a word."""
    import zmq

    # A socket is its thread's own.
    iopub.schedule(lambda: iopub.socket.setsockopt(zmq.XPUB_NODROP, 1))


class _PrintedFile:
    """Where a copy of what a stream gets is written at once, for the attempt to record."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._failed = False

    def write(self, text: str) -> int:
        """Write a text; one that cannot be written makes the loss unknown."""
        raw = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while raw:
                raw = raw[os.write(self._file, raw) :]
        except OSError:
            recorder = active()
            if recorder is not None and not self._failed:
                self._failed = True
                recorder.not_captured(_UNWRITTEN)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _print_to_files(paths: Mapping[str, str]) -> None:
    """Have what cells print copied to files, and this kernel's forks print to descriptors 1 and 2.

    What forks send to the kernel may come too late to be anybody's.

    Args:
        paths: of the files, by stream; none outside a run.
    """
    streams = {name: getattr(sys, name) for name in DESCRIPTORS}
    for name, stream in streams.items():
        stream.fileno = partial(int, DESCRIPTORS[name])
        if name in paths:
            stream.echo = _PrintedFile(paths[name])

    def in_child() -> None:
        for name, stream in streams.items():
            raw = io.FileIO(DESCRIPTORS[name], "w", closefd=False)
            plain = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
            stream.write, stream.flush = plain.write, plain.flush

    os.register_at_fork(after_in_child=in_child)


def _flush_programs(_result: Any) -> None:
    """Let go what is buffered of what was printed beside `sys.stdout`: nothing is when the kernel ends."""
    for file in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            file.flush()  # type: ignore[union-attr]
    with contextlib.suppress(Exception):
        c = ctypes.CDLL(None)
        c.fflush(ctypes.c_void_p.in_dll(c, "stdout"))


def load_ipython_extension(shell: Any) -> None:
    """Tie this kernel to the attempt that its environment names; do nothing in plain Jupyter."""
    raw = os.environ.pop(ENVIRONMENT, "")
    if not raw:
        return
    # Ray blocks SIGINT in its workers and children inherit that; a kernel needs it to be interrupted.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _wait_for_readers(shell.kernel.iopub_thread)
    folder = Path(raw)
    config = json.loads(read_private(folder / CONFIG_FILE))
    _print_to_files(config["printed"])
    shell.events.register("post_run_cell", _flush_programs)
    with contextlib.suppress(FileNotFoundError):
        _parameters.update(pickle.loads(read_private(folder / PARAMETERS_FILE)))
    send_outputs_to(folder / OUTPUTS_FILE)
    if config["settings"] is not None:
        spans = CellSpans(config, folder)
        shell.compile.get_code_name = spans.code_name
        shell.events.register("pre_run_cell", spans.before)
        shell.events.register("post_run_cell", spans.after)
