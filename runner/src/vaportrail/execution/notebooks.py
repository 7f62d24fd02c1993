"""Runs a notebook in a kernel of its own: parameters in, outputs out, the executed file kept."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import re
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vaportrail.contract import Failure, exception_type
from vaportrail.execution import kernel
from vaportrail.execution.attempt import FailureCarrier
from vaportrail.execution.deadline import AttemptInterrupted
from vaportrail.execution.notebook_client import QuietLoop, is_run, make_client, working_directory
from vaportrail.execution.notebook_source import inject_parameters, read_notebook
from vaportrail.telemetry.context import AttemptScope, attempt_scope
from vaportrail.telemetry.logger import record_artifact
from vaportrail.telemetry.recorder import Recorder, active

__all__ = ["run_notebook"]

_INLINE = "module://matplotlib_inline.backend_inline"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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
        client = make_client(notebook, path, Path(folder), recorder, scope)
        try:
            with asyncio.Runner(loop_factory=QuietLoop) as runner:
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

    code_cells = [i for i, cell in enumerate(notebook.cells) if is_run(cell)]
    config = {
        "scratch": str(folder),
        "notebook": path.name,
        "cells": code_cells,
        "settings": recorder.settings.to_json() if recorder and scope else None,
        "scope": {**asdict(scope), "scratch": str(folder)} if scope else None,
    }
    env = {**os.environ, kernel.ENVIRONMENT: json.dumps(config), "MPLBACKEND": _INLINE}
    try:
        await client.async_execute(env=env, cwd=working_directory(path))
    except CellExecutionError as error:
        raise _cell_failure(folder, error) from None
    except DeadKernelError as error:
        message = f"the kernel of {path.name} died: {error}"
        raise FailureCarrier(Failure(type="nbclient.exceptions.DeadKernelError", message=message)) from None
    finally:
        _kill_group(client.kernel_pid)


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

    if recorder.writer.redact is not None:
        notebook = nbformat.from_dict(recorder.writer.redact.everywhere(notebook))
    text = nbformat.writes(notebook)
    record_artifact(
        recorder,
        "notebook.ipynb",
        text.encode("utf-8", "backslashreplace"),
        "application/x-ipynb+json",
        "notebook",
    )
    html = notebook_html(notebook, title).encode("utf-8", "backslashreplace")
    record_artifact(recorder, "notebook.html", html, "text/html", "notebook")
