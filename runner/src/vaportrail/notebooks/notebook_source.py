"""A notebook's file: read it, put the parameters of a call into it, number its cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vaportrail.authoring.notebook_language import is_python
from vaportrail.errors import UsageError

__all__ = ["cell_name", "cell_numbers", "inject_parameters", "is_literal", "read_notebook"]

_LITERAL_LIMIT: Final = 2000
_INJECTED: Final = "injected-parameters"
_NOT_KEPT: Final = (
    "# To run this file again, set yourself what comes from upstream: it lived in the run only."
)
_IMPORT: Final = "from vaportrail.notebooks.kernel import upstream"


def read_notebook(path: Path, source: str) -> Any:
    """Return a notebook from the text of a Jupytext or `.ipynb` file.

    Raises:
        UsageError: the text is not such a notebook, or one of another language than Python.
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
    language = notebook.metadata.get("jupytext", {}).get("main_language", "")
    if not is_python(language):
        raise UsageError(f"{path.name} is a notebook of {language}; only Python ones run")
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

    One that an earlier run left in the file goes.

    Returns:
        The names that do not fit into source text; the kernel asks for those with `upstream(name)`.
    """
    from nbformat.v4 import new_code_cell

    if not parameters:
        return set()
    literals = {name: repr(value) for name, value in parameters.items() if is_literal(value)}
    names = {name for name in parameters if len(literals.get(name, "x" * 9999)) > _LITERAL_LIMIT}
    lines = ["# Parameters", *([_NOT_KEPT, _IMPORT] if names else [])]
    # A parameter may be called `upstream` itself: then it is the last that is set.
    for name in sorted(parameters, key=lambda name: name == "upstream"):
        lines.append(f"{name} = " + (f'upstream("{name}")' if name in names else literals[name]))
    cell = new_code_cell("\n".join(lines), metadata={"tags": [_INJECTED]})
    notebook.cells = [cell for cell in notebook.cells if not _is_tagged(cell, _INJECTED)]
    tagged = [i for i, cell in enumerate(notebook.cells) if _is_tagged(cell, "parameters")]
    notebook.cells.insert(tagged[0] + 1 if tagged else 0, cell)
    return names


def cell_numbers(notebook: Any) -> dict[int, int]:
    """Return the number of each cell that is run, by its index among all cells.

    The numbers are those that Jupyter shows beside the cells of the user's own file when it is run
    from top to bottom, `In [1]` and so on; the cell that was put in has the number 0.
    """
    numbers: dict[int, int] = {}
    last = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip() or _is_tagged(cell, "skip-execution"):
            continue
        if _is_tagged(cell, _INJECTED) and 0 not in numbers.values():
            numbers[index] = 0
        else:
            last += 1
            numbers[index] = last
    return numbers


def cell_name(number: int) -> str:
    """Return what a cell is called wherever it is named."""
    return f"cell {number}" if number else "cell 0 (parameters)"


def _is_tagged(cell: Any, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
