"""The client that drives a notebook's kernel, and records what its cells print as they print it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.context import AttemptScope
from vaportrail.telemetry.identity import cell_span_id
from vaportrail.telemetry.output import split_lines
from vaportrail.telemetry.recorder import Recorder

__all__ = ["QuietLoop", "is_run", "make_client", "working_directory"]


class QuietLoop(asyncio.SelectorEventLoop):
    """An event loop that leaves signals alone: nbclient would take the attempt's for its own."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError("signals belong to the attempt")

    def call_exception_handler(self, context: Any) -> None:
        """Say nothing of what breaks while an interrupted notebook is put away."""


def is_run(cell: Any) -> bool:
    """Return whether nbclient runs a cell: code that is not empty or tagged to be left out."""
    skipped = "skip-execution" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped


def working_directory(path: Path) -> str:
    """Return where a notebook's kernel runs: its own folder where that is here, as in Jupyter."""
    return str(path.parent) if path.parent.is_dir() else os.getcwd()


def make_client(
    notebook: Any, path: Path, folder: Path, recorder: Recorder | None, scope: AttemptScope | None
) -> Any:
    """Return a client for the notebook, whose kernel is loaded with our extension."""
    from nbclient import NotebookClient

    class Client(NotebookClient):  # type: ignore[misc]
        """Records what cells print, as it arrives."""

        kernel_pid: int | None = None
        running: tuple[int, str] | None = None
        pending: dict[tuple[str, int], str]

        async def async_start_new_kernel(self, **kwargs: Any) -> None:
            await super().async_start_new_kernel(**kwargs)
            self.kernel_pid = self.km.provisioner.pid

        async def async_execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
            if is_run(cell):
                self.running = (cell_index, cell.source)
            return await super().async_execute_cell(cell, cell_index, **kwargs)

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                self._take(msg["content"]["name"], msg["content"]["text"], cell_index, final=False)
            return super().process_message(msg, cell, cell_index)

        def flush_streams(self) -> None:
            for name, cell_index in list(self.pending):
                self._take(name, "", cell_index, final=True)

        def _take(self, name: str, text: str, cell_index: int, *, final: bool) -> None:
            if recorder is None or scope is None:
                return
            text = self.pending.pop((name, cell_index), "") + text
            span = cell_span_id(scope.span_id, cell_index)
            raw, done = text.encode("utf-8", "backslashreplace"), 0
            for line in split_lines(raw, 0, final=final):
                _log_line(recorder, name, line.text, line.partial, span)
                done = line.end
            if done < len(raw):
                self.pending[name, cell_index] = raw[done:].decode("utf-8", "backslashreplace")

    client = Client(
        notebook,
        timeout=None,
        kernel_name="python3",
        allow_errors=False,
        # Nothing of an unattended kernel is worth a history, or a graceful end once its cells are done.
        extra_arguments=[
            "--IPKernelApp.extensions=['vaportrail.execution.kernel']",
            "--HistoryManager.enabled=False",
        ],
        shutdown_kernel="immediate",
        resources={"metadata": {"path": working_directory(path)}},
    )
    client.pending = {}
    manager = client.create_kernel_manager()
    # Unix sockets in our own folder: no ports to collide on, nobody else can connect.
    manager.transport = "ipc"
    manager.connection_file = str(folder / "k.json")
    return client


def _log_line(recorder: Recorder, stream: str, text: str, partial: bool, span: str) -> None:
    severity = (9, "INFO") if stream == "stdout" else (13, "WARN")
    values = {c.LOG_IOSTREAM: stream, c.STREAM_PARTIAL: partial or None}
    recorder.log(text, scope=stream, severity=severity, values=values, span_id=span)
