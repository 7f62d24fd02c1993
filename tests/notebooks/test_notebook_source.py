"""A notebook's file is read, and a call's parameters are put where Jupyter's own tools would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vaportrail.errors import UsageError
from vaportrail.notebooks.notebook_source import (
    cell_name,
    cell_numbers,
    inject_parameters,
    is_literal,
    read_notebook,
)

PERCENT = """# %% [markdown]
# Title

# %% tags=["parameters"]
n = 1

# %%
print(n)
"""
UNTAGGED = "# %%\nprint(1)\n"
IPYNB = (
    '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"id": "a", "cell_type": "code", '
    '"metadata": {}, "source": "1", "execution_count": 7, "outputs": '
    '[{"output_type": "stream", "name": "stdout", "text": "old"}]}]}'
)


def injected(source: str, parameters: dict[str, Any]) -> tuple[int, str, set[str]]:
    notebook = read_notebook(Path("nb.py"), source)
    names = inject_parameters(notebook, parameters)
    ((index, cell),) = [
        (i, c) for i, c in enumerate(notebook.cells) if "injected-parameters" in c.metadata.get("tags", [])
    ]
    return index, cell.source, names


def test_parameters_come_right_after_the_cell_that_is_tagged() -> None:
    assert injected(PERCENT, {"n": 600})[:2] == (2, "# Parameters\nn = 600")


def test_parameters_come_first_where_no_cell_is_tagged() -> None:
    assert injected(UNTAGGED, {"n": 600})[0] == 0


def test_no_parameters_leave_the_notebook_as_it_is() -> None:
    notebook = read_notebook(Path("nb.py"), UNTAGGED)

    assert inject_parameters(notebook, {}) == set()
    assert len(notebook.cells) == 1


def test_what_has_no_readable_text_is_asked_for_by_name() -> None:
    _, source, names = injected(PERCENT, {"n": 1, "data": object(), "long": "x" * 5000})

    assert names == {"data", "long"}
    assert source.splitlines()[2:] == [
        "from vaportrail.notebooks.kernel import upstream",
        "n = 1",
        'data = upstream("data")',
        'long = upstream("long")',
    ]


def test_the_cell_says_that_what_comes_from_upstream_is_not_in_the_file() -> None:
    _, source, _ = injected(PERCENT, {"data": object()})

    assert source.splitlines()[1].startswith(
        "# To run this file again, set yourself what comes from upstream"
    )


def test_a_parameter_called_upstream_is_set_last() -> None:
    _, source, _ = injected(UNTAGGED, {"upstream": object(), "data": object()})

    assert source.splitlines()[-2:] == ['data = upstream("data")', 'upstream = upstream("upstream")']


def test_parameters_that_an_earlier_run_put_in_are_replaced() -> None:
    notebook = read_notebook(Path("nb.py"), PERCENT)
    inject_parameters(notebook, {"n": 1})
    inject_parameters(notebook, {"n": 2})

    assert [cell.source for cell in notebook.cells if "n = " in cell.source] == [
        "n = 1",
        "# Parameters\nn = 2",
    ]


NUMBERED = """# %% [markdown]
# Title

# %%
first

# %%

# %% tags=["skip-execution"]
skipped

# %% tags=["parameters"]
n = 1

# %%
last
"""


@pytest.mark.parametrize(("parameters", "expected"), [({}, [1, 2, 3]), ({"n": 2}, [1, 2, 0, 3])])
def test_cells_are_numbered_as_in_jupyter_and_the_one_that_was_put_in_is_0(
    parameters: dict[str, Any], expected: list[int]
) -> None:
    notebook = read_notebook(Path("nb.py"), NUMBERED)
    inject_parameters(notebook, parameters)

    assert list(cell_numbers(notebook).values()) == expected


def test_every_cell_that_runs_has_a_number_of_its_own_whatever_it_is_tagged() -> None:
    source = '# %% tags=["injected-parameters"]\na\n\n# %% tags=["injected-parameters"]\nb\n'

    assert list(cell_numbers(read_notebook(Path("nb.py"), source)).values()) == [0, 1]


def test_the_cell_that_was_put_in_is_called_what_it_is() -> None:
    assert [cell_name(number) for number in (0, 1)] == ["cell 0 (parameters)", "cell 1"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (True, True),
        (1.5, True),
        (float("nan"), False),
        ("text", True),
        ([1, ("a", {"b": None})], True),
        ({1: "not a name"}, False),
        pytest.param([object()], False, id="no data"),
        ([[[[[[1]]]]]], False),
    ],
    ids=repr,
)
def test_only_plain_data_is_written_as_text(value: object, expected: bool) -> None:
    assert is_literal(value) is expected


def test_old_outputs_are_taken_out() -> None:
    (cell,) = read_notebook(Path("nb.ipynb"), IPYNB).cells

    assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("nb.ipynb", "not json", "cannot be read as a notebook"),
        ("nb.py", "# %% [markdown]\n# only text\n", "has no code cell"),
        ("nb.md", "```bash\nls\n```\n", "is a notebook of bash; only Python ones run"),
    ],
    ids=["no notebook", "nothing to run", "another language"],
)
def test_what_is_no_notebook_is_refused_with_its_name(name: str, source: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.*{message}"):
        read_notebook(Path(name), source)
