"""Files that Python would not import by their names are named as such, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from vaportrail.cli.entrypoint import load_pipeline
from vaportrail.errors import EntrypointError

FLOW = "from vaportrail import pipeline\n\n@pipeline\ndef flow() -> None:\n    pass\n"


@pytest.mark.parametrize("name", ["random", "json", "logging", "types", "queue", "html", "sys", "pytest"])
def test_a_file_with_another_modules_name_is_not_mistaken_for_it(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(FLOW)

    with pytest.raises(EntrypointError, match=f"is imported instead of this file.* my_{name}.py"):
        load_pipeline(f"{tmp_path}/{name}.py:flow")


def test_a_dot_in_a_files_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "flow.v2.py").write_text(FLOW)

    with pytest.raises(EntrypointError, match=r"because of the dot; call the file flow_v2\.py"):
        load_pipeline(f"{tmp_path}/flow.v2.py:flow")


def test_a_file_that_imports_relatively_is_asked_for_as_a_part_of_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "part_of_one.py").write_text(f"from .steps import x\n{FLOW}")
    monkeypatch.syspath_prepend(str(package))

    with pytest.raises(
        EntrypointError, match=f"start in {tmp_path} and give some_package.part_of_one:PIPELINE"
    ):
        load_pipeline(f"{package}/part_of_one.py:flow")
