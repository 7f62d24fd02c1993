"""`MODULE:PIPELINE`: from the text on the command line to the pipeline it names."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from vaportrail.authoring.pipeline import Pipeline
from vaportrail.errors import EntrypointError, VaportrailError

__all__ = ["load_pipeline"]


def load_pipeline(entrypoint: str) -> Pipeline[..., Any]:
    """Return the pipeline that `MODULE:PIPELINE` or `FILE.py:PIPELINE` names.

    The current folder (or the file's own) is put on the search path, in this process and, by the
    embedded Ray, in its workers. `:PIPELINE` may be left out where the module has only one.

    Raises:
        EntrypointError: there is no such module or pipeline, or importing it raised.
    """
    target, _, name = entrypoint.partition(":")
    if not target:
        raise EntrypointError(f"{entrypoint!r} is not MODULE:PIPELINE, such as mnist.pipeline:mnist")
    module = _import(target, entrypoint)
    found = {key: value for key, value in vars(module).items() if isinstance(value, Pipeline)}
    if not name:
        own = {key: p for key, p in found.items() if p.fn.__module__ == module.__name__}
        if len(own) == 1:
            return next(iter(own.values()))
        names = ", ".join(own) or "none"
        raise EntrypointError(f"{entrypoint!r} does not say which pipeline: {target} has {names}")
    if name in found:
        return found[name]
    if hasattr(module, name):
        raise EntrypointError(f"{name!r} in {target} is not a pipeline; decorate it with @pipeline")
    there = f"it has {', '.join(found)}" if found else "it has none; decorate a function with @pipeline"
    raise EntrypointError(f"{target} has no pipeline {name!r}; {there}")


def _import(target: str, entrypoint: str) -> ModuleType:
    if target.endswith(".py") or os.sep in target:
        path = Path(target)
        if not path.is_file():
            raise EntrypointError(f"{entrypoint!r}: there is no file {target}")
        folder, module = str(path.resolve().parent), path.stem
        _check_name(path, entrypoint)
    else:
        folder, module = os.getcwd(), target
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(module)
    except VaportrailError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise EntrypointError(
                f"{entrypoint!r}: no module {module!r} can be imported from {folder}; "
                "give a file as FILE.py:PIPELINE, or start where the module is"
            ) from None
        raise EntrypointError(
            f"{entrypoint!r}: importing {module} needs {error.name!r}, which is not installed"
        ) from error
    except SystemExit as error:
        # Else the process would end in peace, with nothing run.
        raise EntrypointError(
            f"{entrypoint!r}: importing {module} raised {error!r}: "
            'guard what ends the program with if __name__ == "__main__":'
        ) from None
    except Exception as error:
        hint = ""
        if isinstance(error, ImportError) and "no known parent package" in str(error):
            place, package = Path(folder).parent, f"{Path(folder).name}.{module}"
            hint = f"; it is part of a package: start in {place} and give {package}:PIPELINE"
        raise EntrypointError(
            f"{entrypoint!r}: importing {module} raised {type(error).__name__}: {error}{hint}"
        ) from error


def _check_name(path: Path, entrypoint: str) -> None:
    """Refuse a file that Python, here or in a worker, would not import by its name."""
    name = path.stem
    if "." in name:
        raise EntrypointError(
            f"{entrypoint!r}: Python takes {name!r} for a module in a package, because of the dot; "
            f"call the file {name.replace('.', '_')}.py"
        )
    loaded = getattr(sys.modules.get(name), "__file__", None)
    taken = name in sys.stdlib_module_names or name in sys.builtin_module_names
    if taken or (loaded is not None and Path(loaded).resolve() != path.resolve()):
        whose = "Python's own module" if taken else f"the module in {loaded}"
        raise EntrypointError(
            f"{entrypoint!r}: {name!r} is {whose}, which is imported instead of this file, here and in the "
            f"workers; call the file something else, such as my_{name}.py"
        )
