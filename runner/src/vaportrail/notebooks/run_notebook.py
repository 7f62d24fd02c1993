"""Runs a notebook in a kernel of its own: parameters in, outputs out, the executed file kept."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vaportrail.contract.outcome import Failure, exception_type
from vaportrail.errors import UsageError
from vaportrail.execution.deadline import AttemptInterrupted, users_code_is_over
from vaportrail.execution.described_failure import FailureCarrier
from vaportrail.notebooks import kernel
from vaportrail.notebooks.kernel_death import kernel_death
from vaportrail.notebooks.notebook_client import QuietLoop, make_client
from vaportrail.notebooks.notebook_source import cell_name, cell_numbers, inject_parameters, read_notebook
from vaportrail.telemetry.active_recorder import active
from vaportrail.telemetry.attempt_scope import AttemptScope, attempt_scope
from vaportrail.telemetry.log_files import record_artifact
from vaportrail.telemetry.notebook_outputs import read_outputs
from vaportrail.telemetry.otlp_json import WARN
from vaportrail.telemetry.private_files import read_private, write_private
from vaportrail.telemetry.recorder import Recorder

__all__ = ["NO_PAGE", "keep_notebook", "run_notebook"]

_INLINE = "module://matplotlib_inline.backend_inline"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_PAGE: Final = "the page of a notebook that could not be made; its notebook.ipynb is kept"
_DYING_SECONDS: Final = 2.0
"""How long a killed kernel is waited for."""
_SOCKET_PATH: Final = 107
_LONGEST_NAME: Final = "/vtnb-12345678/k-ipc-5"


def run_notebook(
    path: Path, source: str, parameters: Mapping[str, Any], *, cwd: Path | None = None
) -> dict[str, Any]:
    """Run a notebook and return what it gave to `output(...)`.

    In a task's attempt the executed notebook is kept as `notebook.ipynb` and `notebook.html`,
    however it ended; outside of one it runs all the same and nothing is kept.

    Args:
        path: the notebook's file, which need not be on this machine.
        source: the file's text.
        parameters: what to set in it.
        cwd: where its kernel runs; its own folder where that is here, unless given.

    Raises:
        FailureCarrier: a cell raised, and it carries the cell's own traceback; or the kernel died.
        UsageError: it is no notebook, `cwd` is not here, or an output cannot be loaded.
    """
    if cwd is not None and not cwd.is_dir():
        raise UsageError(f"notebook {path.name}: there is no folder {cwd} on this machine to run in")
    notebook = read_notebook(path, source)
    names = inject_parameters(notebook, parameters)
    numbers = cell_numbers(notebook)
    recorder, scope = active(), attempt_scope()
    parent = short_folder(os.path.dirname(scope.scratch) if scope else tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="vtnb-", dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _write_values(folder, {name: parameters[name] for name in names})
        client = make_client(notebook, numbers, folder, recorder, scope)
        try:
            with asyncio.Runner(loop_factory=QuietLoop) as runner:
                try:
                    runner.run(_execute(client, path, cwd, folder, list(numbers.values()), recorder, scope))
                finally:
                    users_code_is_over()
        except AttemptInterrupted as error:
            users_code_is_over()
            error.failure = _interrupted_failure(error, client.running)
            raise
        finally:
            try:
                client.finish()
            finally:
                if recorder is not None and scope is not None:
                    keep_notebook(recorder, notebook, path.stem)
        return _load_outputs(folder, path.name)


def short_folder(wanted: str) -> str:
    """Return a folder for kernels' folders whose sockets' paths are not too long for the system.

    Example:
        >>> short_folder("/scratch/" + 20 * "a long name/")
        '/tmp'
    """
    fits = len(os.fsencode(wanted)) + len(_LONGEST_NAME) <= _SOCKET_PATH
    return wanted if fits else "/tmp"


def _write_values(folder: Path, values: Mapping[str, Any]) -> None:
    import cloudpickle

    raw = {name: cloudpickle.dumps(value) for name, value in values.items()}
    write_private(folder / kernel.PARAMETERS_FILE, pickle.dumps(raw))


def _load_outputs(folder: Path, notebook: str) -> dict[str, Any]:
    import cloudpickle

    outputs: dict[str, Any] = {}
    for name, raw in read_outputs(folder / kernel.OUTPUTS_FILE).items():
        try:
            outputs[name] = cloudpickle.loads(raw)
        except Exception as error:
            raise UsageError(
                f"output({name}=...) of {notebook} cannot be loaded outside its kernel: "
                f"{type(error).__name__}: {error}; keep its class in a module that tasks can import, such as "
                "one beside the pipeline, or give plain data"
            ) from error
    return outputs


async def _execute(
    client: Any,
    path: Path,
    cwd: Path | None,
    folder: Path,
    cells: list[int],
    recorder: Recorder | None,
    scope: AttemptScope | None,
) -> None:
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    config = {
        "notebook": path.name,
        "cells": cells,
        "settings": recorder.settings.to_json() if recorder and scope else None,
        "scope": scope.fields() if scope else None,
        "printed": dict(client.printed.paths) if client.printed else {},
    }
    # A file: what a single environment variable may hold is little.
    write_private(folder / kernel.CONFIG_FILE, json.dumps(config).encode("utf-8", "surrogatepass"))
    own_folder = str(path.parent) if path.parent.is_dir() else os.getcwd()
    env = {**os.environ, kernel.ENVIRONMENT: str(folder), "MPLBACKEND": _INLINE}
    if cwd is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [own_folder, os.environ.get("PYTHONPATH")]))
    if "IPYTHONDIR" not in env and not Path("~/.ipython").expanduser().exists():
        env["IPYTHONDIR"] = str(folder / "ipython")  # a home that has no profile shall not get one
    try:
        await client.async_execute(env=env, cwd=own_folder if cwd is None else str(cwd))
    except CellExecutionError as error:
        raise _cell_failure(folder, error, client.running) from None
    except (DeadKernelError, RuntimeError) as error:
        status = client.process.poll() if client.process is not None else None
        if status is None:  # it is not the kernel that broke
            raise
        raise kernel_death(path.name, client.running, status) from error
    finally:
        _kill_group(client.process)


def _cell_failure(folder: Path, error: Any, running: tuple[int, str] | None) -> FailureCarrier:
    number, failure, raw = -1, None, b""
    with suppress(FileNotFoundError):
        number, failure, raw = pickle.loads(read_private(folder / kernel.FAILURE_FILE))
    if failure is None or running is None or number != running[0]:
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
    cell, source = cell_name(running[0]), running[1]
    return Failure(type=name, message=f"{error}, in {cell}", traceback=f"{cell}:\n{source}\n")


def _kill_group(kernel_process: subprocess.Popen[bytes] | None) -> None:
    """End the kernel and whatever it started; kernels have a session of their own."""
    if kernel_process is None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(kernel_process.pid, signal.SIGKILL)
    # What it still writes as it dies comes before what it printed is taken.
    with suppress(subprocess.TimeoutExpired):
        kernel_process.wait(_DYING_SECONDS)


def keep_notebook(recorder: Recorder, notebook: Any, title: str) -> None:
    """Put the notebook into the record, the file itself first: a page can be made of it later."""
    import nbformat

    if recorder.writer.redact is not None:
        notebook = nbformat.from_dict(recorder.writer.redact.notebook(notebook))
    text = nbformat.writes(notebook)
    record_artifact(
        recorder,
        "notebook.ipynb",
        text.encode("utf-8", "backslashreplace"),
        "application/x-ipynb+json",
        "notebook",
    )
    from vaportrail.notebooks.notebook_html import notebook_html

    try:
        html = notebook_html(notebook, title).encode("utf-8", "backslashreplace")
    except Exception as error:  # the task's outcome does not hang on a page
        what = f"{type(error).__name__}: {error}"
        recorder.log(f"no notebook.html could be made of notebook.ipynb: {what}", severity=WARN)
        recorder.not_captured(NO_PAGE)
    else:
        record_artifact(recorder, "notebook.html", html, "text/html", "notebook")
