"""The client that drives a notebook's kernel, and has recorded what its cells print as they print it."""

from __future__ import annotations

import asyncio
import codecs
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vaportrail.execution.deadline import AttemptInterrupted
from vaportrail.notebooks.cell_output import CellOutput
from vaportrail.notebooks.followed_files import FollowedFiles, own_output
from vaportrail.notebooks.kept_outputs import KeptOutputs
from vaportrail.telemetry.attempt_scope import AttemptScope
from vaportrail.telemetry.recorder import Recorder

__all__ = ["SILENT", "QuietLoop", "make_client"]

SILENT: Final = logging.Logger("vaportrail.notebook")
"""For libraries that would remark in the task's log on what they are made to do."""
SILENT.addHandler(logging.NullHandler())
# A loaded machine may need long; how long an attempt may take in all is the task's own time limit.
_STARTUP_SECONDS: Final = 600
_OUTPUT_SECONDS: Final = 600
"""For what a cell has printed when it is done and nobody has read yet: what is not read by then fails it."""

_PERIOD: Final = 0.2
"""Seconds after which what was printed is recorded though no message tells of it."""
_TOO_LARGE: Final = "outputs that a notebook displayed and that are too large to be kept"
_SHUTDOWN: Final = "unhandled exception during asyncio.run() shutdown"


class QuietLoop(asyncio.SelectorEventLoop):
    """An event loop that leaves signals alone: nbclient would take the attempt's for its own."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError("signals belong to the attempt")

    def call_exception_handler(self, context: Any) -> None:
        """Log what breaks in a callback; an interruption that lands in one ends the loop, as it should.

        Nothing is said of what breaks while an interrupted notebook is put away.
        """
        error = context.get("exception")
        if isinstance(error, AttemptInterrupted) and "handle" in context:
            raise error
        if context.get("message") != _SHUTDOWN:
            super().call_exception_handler(context)


def make_client(
    notebook: Any,
    numbers: Mapping[int, int],
    folder: Path,
    recorder: Recorder | None,
    scope: AttemptScope | None,
) -> Any:
    """Return a client for the notebook, whose kernel is loaded with our extension.

    Args:
        notebook: what to run.
        numbers: the numbers of its cells, by their index; see `cell_numbers`.
        folder: a private folder for the kernel's sockets, with a short path.
        recorder: where to write what cells print; None outside a run.
        scope: the attempt it belongs to; None outside a run.
    """
    from jupyter_client.kernelspec import KernelSpec
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionComplete
    from nbformat.v4 import new_output

    class Client(NotebookClient):  # type: ignore[misc]
        """Has recorded what cells print, as it arrives."""

        process: subprocess.Popen[bytes] | None = None
        running: tuple[int, str] | None = None
        """The number and the source of the cell that runs, or ran last."""
        broken: BaseException | None = None
        """What broke while the cell was followed."""
        kept: KeptOutputs
        printed: CellOutput | None
        programs: FollowedFiles

        async def async_start_new_kernel(self, **kwargs: Any) -> None:
            await super().async_start_new_kernel(**kwargs)
            self.process = self.km.provisioner.process

        async def async_execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
            number = numbers.get(cell_index)
            if number is None:
                return cell
            self.running = (number, cell.source)
            self.programs.pass_over()  # it is of no cell
            if self.printed is not None:
                self.printed.begin(number)
            following = asyncio.ensure_future(self._follow())
            try:
                # The cell that was put in has no part in the kernel's own counting.
                done = await super().async_execute_cell(
                    cell, cell_index, execution_count=number, store_history=number > 0
                )
            except BaseException:
                if self.broken is not None:
                    raise self.broken from None
                raise
            finally:
                following.cancel()
                cell["execution_count"] = number
                self._record(final=True)
                self._show_programs(cell, cell_index)
            if self.broken is not None:
                raise self.broken
            return done

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            try:
                if msg["msg_type"] == "stream":
                    self._record()
                bounded = self.kept.message(msg, cell_index)
                return None if bounded is None else super().process_message(bounded, cell, cell_index)
            except CellExecutionComplete:
                raise
            except BaseException as error:
                self._break_off(error)
                return None

        def _break_off(self, error: BaseException) -> None:
            """End the cell's run by what broke while it was followed.

            Nobody waits for the task that follows it; and a kernel that nobody reads waits for ever.
            """
            self.broken = self.broken or error
            if self.task_poll_for_reply is not None:
                self.task_poll_for_reply.cancel()

        async def _follow(self) -> None:
            try:
                while True:
                    await asyncio.sleep(_PERIOD)
                    self._record()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._break_off(error)

        def _record(self, *, final: bool = False) -> None:
            if self.printed is not None:
                self.printed.record(final=final)

        def _show_programs(self, cell: Any, cell_index: int) -> None:
            for stream in self.programs.streams:
                decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
                shown = []
                for raw in self.programs.take_all(stream):
                    content = {"name": stream, "text": decoder.decode(raw)}
                    bounded = self.kept.message({"msg_type": "stream", "content": content}, cell_index)
                    shown.append("" if bounded is None else bounded["content"]["text"])
                # In one, or a secret could stand across two.
                if text := "".join(shown):
                    cell.outputs.append(new_output("stream", name=stream, text=text))

        def finish(self) -> None:
            """Record what was not yet, and say in the notebook what of it is not kept."""
            try:
                self._record(final=True)
            finally:
                if self.printed is not None:
                    self.printed.close()
                self.programs.close()
                self.kept.tell(self.nb)
            if recorder is not None and scope is not None and self.kept.dropped:
                recorder.not_captured(_TOO_LARGE, self.kept.dropped)
                self.kept.dropped = 0

    client = Client(
        notebook,
        timeout=None,
        startup_timeout=_STARTUP_SECONDS,
        iopub_timeout=_OUTPUT_SECONDS,
        raise_on_iopub_timeout=True,
        kernel_name="python3",
        allow_errors=False,
        # Nothing of an unattended kernel is worth a history, or a graceful end once its cells are done.
        extra_arguments=[
            "--IPKernelApp.extensions=['vaportrail.notebooks.kernel']",
            "--HistoryManager.enabled=False",
            "--IPKernelApp.capture_fd_output=False",
        ],
        shutdown_kernel="immediate",
        log=SILENT,
    )
    client.kept = KeptOutputs(recorder.writer.redact if recorder is not None else None)
    client.programs = own_output()
    manager = client.create_kernel_manager()
    manager.log = SILENT
    # This very Python: a user's own kernel of the name may be another one.
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="Python 3", language="python")
    # Unix sockets in our own folder: no ports to collide on, nobody else can connect.
    manager.transport = "ipc"
    manager.connection_file = str(folder / "k.json")
    client.printed = None if recorder is None or scope is None else CellOutput(recorder, scope)
    return client
