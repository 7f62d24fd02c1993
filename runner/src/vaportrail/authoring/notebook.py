"""`notebook(...)`: a Jupytext or Jupyter file as a task."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Unpack

from vaportrail.authoring.engine import engine
from vaportrail.authoring.notebook_language import is_python, notebook_language
from vaportrail.authoring.options import Options, TaskOptions, resolve_options
from vaportrail.authoring.task import Task
from vaportrail.errors import UsageError
from vaportrail.telemetry.notebook_outputs import output

__all__ = ["NotebookFunction", "NotebookTask", "notebook", "output"]

_SUFFIXES: Final = (".py", ".ipynb", ".md", ".Rmd", ".qmd")
# Nothing imports these of Python's own modules unless it means to.
_UNUSED_MODULES: Final = {"antigravity", "idlelib", "test", "this", "turtle", "turtledemo"}


class NotebookFunction:
    """Runs a notebook with the given parameters; returns what it gave to `output(...)`."""

    def __init__(self, path: Path, source: str, cwd: Path | None = None) -> None:
        self.path = path
        self.source = source
        self.cwd = cwd
        self.__name__ = path.stem
        self.__doc__ = f"The notebook {path.name}."

    def __call__(self, /, **parameters: Any) -> dict[str, Any]:
        _check_names(self.path.name, parameters)
        return engine().run_notebook(self.path, self.source, parameters, cwd=self.cwd)


class NotebookTask(Task[..., dict[str, Any]]):
    """A task that runs a notebook."""

    kind = "notebook"

    def __call__(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Submit the notebook in a pipeline's run; run it here anywhere else."""
        _check_names(self.name, kwargs)
        return super().__call__(*args, **kwargs)


def notebook(
    path: str, /, *, cwd: str | None = None, **options: Unpack[Options]
) -> Task[..., dict[str, Any]]:
    """Make a notebook file a task.

    Its keyword arguments become variables of the notebook, set right after the cell tagged
    `parameters` (whose assignments are the defaults), or first where no cell is tagged. Values of
    other tasks may be passed as they are, whatever their type. The executed notebook is kept as an
    artifact, also when a cell fails or time runs out.

    Args:
        path: a Jupytext `py:percent` file or an `.ipynb`, relative to the file that calls this.
        cwd: the folder that its kernel runs in, relative to the file that calls this; the
            notebook's own folder unless given. It imports from its own folder either way.
        options: as for `task`.

    Returns:
        A task whose result is a dict of what the notebook gave to `output(...)`.

    Raises:
        UsageError: there is no such file or folder, or it is no notebook of Python.

    Example:
        >>> benchmark = notebook("benchmark.py", timeout="2m")   # doctest: +SKIP
        >>> scores = benchmark(model=model, n=600)               # doctest: +SKIP
    """
    caller = sys._getframe(1).f_globals.get("__file__")
    base = Path(caller).parent if caller else Path.cwd()
    place = base / path
    if place.suffix not in _SUFFIXES:
        raise UsageError(f"notebook {path!r}: its name must end in one of {', '.join(_SUFFIXES)}")
    source = _read(path, place)
    _check_is_python(path, place, source)
    folder = None if cwd is None else (base / cwd).absolute()
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"notebook {path!r}: cwd={cwd!r} is no folder: there is no {folder}; the path is relative "
            "to the file that calls notebook(...)"
        )
    fn = NotebookFunction(place.absolute(), source, folder)
    return NotebookTask(fn, resolve_options(TaskOptions(), options, f"notebook {path!r}"))


def _read(path: str, place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"notebook {path!r} at {place} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(
            f"notebook {path!r} cannot be read at {place}: {error.strerror}; the path is relative "
            "to the file that calls notebook(...)"
        ) from None


def _check_is_python(path: str, place: Path, source: str) -> None:
    """Refuse what only looks like a notebook of Python, and names that hide Python's own modules."""
    try:
        language = notebook_language(place.suffix, source)
    except ValueError as error:
        raise UsageError(f"notebook {path!r} at {place} cannot be read as a notebook: {error}") from None
    if not is_python(language):
        raise UsageError(f"notebook {path!r} is a notebook of {language}; only Python ones run")
    hidden = sys.stdlib_module_names - _UNUSED_MODULES | {"ray", "vaportrail"}
    if place.suffix == ".py" and place.stem in hidden:
        raise UsageError(
            f"notebook {path!r}: a file of this name would be imported by every `import {place.stem}` "
            f"in place of the module {place.stem!r}; rename it"
        )


def _check_names(notebook: str, parameters: Mapping[str, Any]) -> None:
    for name in parameters:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(
                f"notebook {notebook!r}: {name!r} cannot be a variable of the notebook; "
                "give the parameter a name that Python takes"
            )
