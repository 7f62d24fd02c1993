"""Runs a notebook in a kernel of its own: parameters in, outputs out, the executed file kept."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pickle
import re
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from vaportrail.contract import Failure, exception_type
from vaportrail.errors import UsageError
from vaportrail.execution import kernel
from vaportrail.execution.attempt import FailureCarrier
from vaportrail.execution.deadline import AttemptInterrupted
from vaportrail.telemetry.capture import split_lines
from vaportrail.telemetry.context import AttemptScope, attempt_scope
from vaportrail.telemetry.identity import cell_span_id
from vaportrail.telemetry.logger import record_artifact
from vaportrail.telemetry.recorder import Recorder, active

__all__ = ["inject_parameters", "read_notebook", "run_notebook"]

_LITERAL_LIMIT: Final = 2000
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_IMPORT = "from vaportrail.execution.kernel import upstream"


def read_notebook(path: Path, source: str) -> Any:
    """Return a notebook from the text of a Jupytext or `.ipynb` file.

    Raises:
        UsageError: the text is not such a notebook.
    """
    import jupytext
    import nbformat

    try:
        if path.suffix == ".ipynb":
            notebook = nbformat.reads(source, as_version=4)
        else:
            notebook = jupytext.reads(source, fmt={"extension": path.suffix})
    except Exception as error:
        raise UsageError(f"{path.name} cannot be read as a notebook: {error}") from error
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        raise UsageError(f"{path.name} has no code cell, so there is nothing to run")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def is_literal(value: Any, depth: int = 0) -> bool:
    """Return whether a parameter can stand in the notebook as readable Python."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if depth < 5 and type(value) in (list, tuple):
        return all(is_literal(item, depth + 1) for item in value)
    if depth < 5 and type(value) is dict:
        return all(type(k) is str and is_literal(v, depth + 1) for k, v in value.items())
    return False


def inject_parameters(notebook: Any, parameters: Mapping[str, Any]) -> set[str]:
    """Put a cell that sets the parameters after the one tagged `parameters`, or first.

    Returns:
        The names that do not fit into source text; the kernel asks for those with `upstream(name)`.
    """
    from nbformat.v4 import new_code_cell

    names: set[str] = set()
    lines: list[str] = []
    for name, value in parameters.items():
        literal = repr(value) if is_literal(value) else ""
        if literal and len(literal) <= _LITERAL_LIMIT:
            lines.append(f"{name} = {literal}")
        else:
            names.add(name)
            lines.append(f'{name} = upstream("{name}")')
    if lines:
        head = ["# Parameters", *([_IMPORT] if names else [])]
        cell = new_code_cell("\n".join(head + lines), metadata={"tags": ["injected-parameters"]})
        tagged = [i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])]
        notebook.cells.insert(tagged[0] + 1 if tagged else 0, cell)
    return names


def run_notebook(path: Path, source: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Run a notebook and return what it gave to `output(...)`.

    In a task's attempt the executed notebook is kept as `notebook.ipynb` and `notebook.html`,
    however it ended; outside of one it runs all the same and nothing is kept.

    Raises:
        FailureCarrier: a cell raised; it carries the cell's own traceback.
    """
    notebook = read_notebook(path, source)
    names = inject_parameters(notebook, parameters)
    recorder, scope = active(), attempt_scope()
    if scope is not None:
        Path(scope.scratch).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vtnb-", dir=(scope.scratch if scope else None)) as folder:
        _write_values(Path(folder), {name: parameters[name] for name in names})
        client = _make_client(notebook, path, Path(folder), recorder, scope)
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                runner.run(_execute(client, notebook, path, Path(folder), recorder, scope))
        except AttemptInterrupted as error:
            error.failure = _interrupted_failure(error, client.running)
            raise
        finally:
            client.flush_streams()
            if recorder is not None and scope is not None:
                _keep(recorder, notebook, path.stem)
        return _read_outputs(Path(folder))


def _write_values(folder: Path, values: Mapping[str, Any]) -> None:
    import cloudpickle

    raw = {name: cloudpickle.dumps(value) for name, value in values.items()}
    (folder / kernel.PARAMETERS_FILE).write_bytes(cloudpickle.dumps(raw))


def _read_outputs(folder: Path) -> dict[str, Any]:
    import cloudpickle

    try:
        outputs: dict[str, Any] = cloudpickle.loads((folder / kernel.OUTPUTS_FILE).read_bytes())
    except FileNotFoundError:
        return {}
    return outputs


async def _execute(
    client: Any,
    notebook: Any,
    path: Path,
    folder: Path,
    recorder: Recorder | None,
    scope: AttemptScope | None,
) -> None:
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    code_cells = [i for i, cell in enumerate(notebook.cells) if _runs(cell)]
    config = {
        "scratch": str(folder),
        "notebook": path.name,
        "cells": code_cells,
        "settings": recorder.settings.to_json() if recorder and scope else None,
        "scope": {**asdict(scope), "scratch": str(folder)} if scope else None,
    }
    env = {**os.environ, kernel.ENVIRONMENT: json.dumps(config), "MPLBACKEND": _INLINE}
    try:
        await client.async_execute(env=env, cwd=_working_directory(path))
    except CellExecutionError as error:
        raise _cell_failure(folder, error) from None
    except DeadKernelError as error:
        message = f"the kernel of {path.name} died: {error}"
        raise FailureCarrier(Failure(type="nbclient.exceptions.DeadKernelError", message=message)) from None
    finally:
        _kill_group(client.kernel_pid)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that leaves signals alone: nbclient would take the attempt's for its own."""

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError("signals belong to the attempt")

    def call_exception_handler(self, context: Any) -> None:
        """Say nothing of what breaks while an interrupted notebook is put away."""


def _runs(cell: Any) -> bool:
    """Return whether nbclient runs a cell: code that is not empty or tagged to be left out."""
    skipped = "skip-execution" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped


_INLINE = "module://matplotlib_inline.backend_inline"


def _working_directory(path: Path) -> str:
    return str(path.parent) if path.parent.is_dir() else os.getcwd()


def _make_client(
    notebook: Any, path: Path, folder: Path, recorder: Recorder | None, scope: AttemptScope | None
) -> Any:
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
            if _runs(cell):
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
        resources={"metadata": {"path": _working_directory(path)}},
    )
    client.pending = {}
    manager = client.create_kernel_manager()
    # Unix sockets in our own folder: no ports to collide on, nobody else can connect.
    manager.transport = "ipc"
    manager.connection_file = str(folder / "k.json")
    return client


def _log_line(recorder: Recorder, stream: str, text: str, partial: bool, span: str) -> None:
    from vaportrail.telemetry import conventions as c

    severity = (9, "INFO") if stream == "stdout" else (13, "WARN")
    values = {c.LOG_IOSTREAM: stream, c.STREAM_PARTIAL: partial or None}
    recorder.log(text, scope=stream, severity=severity, values=values, span_id=span)


def _cell_failure(folder: Path, error: Any) -> FailureCarrier:
    try:
        failure, raw = pickle.loads((folder / kernel.FAILURE_FILE).read_bytes())
    except FileNotFoundError:
        text = _ANSI.sub("", error.traceback)
        return FailureCarrier(Failure(type=str(error.ename), message=str(error.evalue), traceback=text))
    try:
        original = pickle.loads(raw) if raw else None
    except Exception:  # its class lives in the notebook alone, or in nothing that is importable here
        original = None
    return FailureCarrier(failure, original)


def _interrupted_failure(error: AttemptInterrupted, running: tuple[int, str] | None) -> Failure:
    """Tell which cell was interrupted: this process's own traceback would say nothing of it."""
    name = exception_type(error)
    if running is None:
        return Failure(type=name, message=f"{error}, before its first cell")
    index, source = running
    return Failure(type=name, message=f"{error}, in cell {index}", traceback=f"cell {index}:\n{source}\n")


def _kill_group(pid: int | None) -> None:
    """End the kernel and whatever it started; kernels have a session of their own."""
    if pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _keep(recorder: Recorder, notebook: Any, title: str) -> None:
    import nbformat

    from vaportrail.execution.notebook_html import notebook_html

    text = nbformat.writes(notebook)
    if recorder.writer.redact is not None:
        text = recorder.writer.redact(text)
        notebook = nbformat.reads(text, as_version=4)
    record_artifact(recorder, "notebook.ipynb", text.encode(), "application/x-ipynb+json", "notebook")
    html = notebook_html(notebook, title).encode("utf-8", "backslashreplace")
    record_artifact(recorder, "notebook.html", html, "text/html", "notebook")
