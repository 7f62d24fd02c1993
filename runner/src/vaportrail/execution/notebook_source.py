"""A notebook's file: read it, and put the parameters of a call into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vaportrail.errors import UsageError

__all__ = ["inject_parameters", "is_literal", "read_notebook"]

_LITERAL_LIMIT: Final = 2000
_IMPORT: Final = "from vaportrail.execution.kernel import upstream"


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
