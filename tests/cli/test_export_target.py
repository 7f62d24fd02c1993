"""`vaportrail export tree -o` where nothing can be written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from vaportrail.cli import export_command
from vaportrail.errors import UsageError


@pytest.mark.parametrize("target", ["file/tree", "x" * 300], ids=["below a file", "too long a name"])
def test_a_folder_that_cannot_be_written_is_said_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export_command, "locate", lambda run, root: SimpleNamespace(uri="root/run"))

    with pytest.raises(UsageError, match=f"^{target} cannot be written: "):
        CliRunner().invoke(export_command.tree, ["run", "-o", target], catch_exceptions=False)
