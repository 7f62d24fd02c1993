"""`notebook(...)`: a Jupytext or Jupyter file as a task."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Unpack

from vaportrail.authoring.options import Options, TaskOptions, resolve_options
from vaportrail.authoring.task import Task
from vaportrail.errors import UsageError

__all__ = ["NotebookFunction", "NotebookTask", "notebook", "output"]

_SUFFIXES = (".py", ".ipynb", ".md", ".Rmd", ".qmd")
_outputs: dict[str, Any] = {}


class NotebookFunction:
    """Runs a notebook with the given parameters; returns what it gave to `output(...)`."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        self.__name__ = path.stem
        self.__doc__ = f"The notebook {path.name}."

    def __call__(self, **parameters: Any) -> dict[str, Any]:
        from vaportrail.execution.notebooks import run_notebook

        return run_notebook(self.path, self.source, parameters)


class NotebookTask(Task[..., dict[str, Any]]):
    """A task that runs a notebook."""

    kind = "notebook"


def notebook(path: str, /, **options: Unpack[Options]) -> Task[..., dict[str, Any]]:
    """Make a notebook file a task.

    Its keyword arguments become variables of the notebook, set right after the cell tagged
    `parameters` (whose assignments are the defaults), or first where no cell is tagged. Values of
    other tasks may be passed as they are, whatever their type. The executed notebook is kept as an
    artifact, also when a cell fails or time runs out.

    Args:
        path: a Jupytext `py:percent` file or an `.ipynb`, relative to the file that calls this.
        options: as for `task`.

    Returns:
        A task whose result is a dict of what the notebook gave to `output(...)`.

    Raises:
        UsageError: there is no such file, or it is no notebook.

    Example:
        >>> benchmark = notebook("benchmark.py", timeout="2m")   # doctest: +SKIP
        >>> scores = benchmark(model=model, n=600)               # doctest: +SKIP
    """
    place = Path(path)
    if not place.is_absolute():
        caller = sys._getframe(1).f_globals.get("__file__")
        place = (Path(caller).parent if caller else Path.cwd()) / place
    if place.suffix not in _SUFFIXES:
        raise UsageError(f"notebook {path!r}: its name must end in one of {', '.join(_SUFFIXES)}")
    try:
        source = place.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"notebook {path!r} at {place} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(
            f"notebook {path!r} cannot be read at {place}: {error.strerror}; the path is relative "
            "to the file that calls notebook(...)"
        ) from None
    fn = NotebookFunction(place.absolute(), source)
    return NotebookTask(fn, resolve_options(TaskOptions(), options, f"notebook {path!r}"))


def output(**values: Any) -> None:
    """Give values to whoever called the notebook; in Jupyter it only keeps them.

    Call it as often as you like: later values replace earlier ones of the same name.

    Example:
        >>> from vaportrail import output
        >>> output(auc=0.99)
    """
    _outputs.update(values)


def take_outputs() -> dict[str, Any]:
    """Return what was given to `output(...)` in this process so far."""
    return dict(_outputs)
