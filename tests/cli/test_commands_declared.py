"""A command is a module, a line in `COMMANDS` and a section of the documentation."""

from __future__ import annotations

from pathlib import Path

import vaportrail.cli
from vaportrail.cli.main import COMMANDS, HIDDEN

REPOSITORY = Path(__file__).parents[2]
ROOM = Path(vaportrail.cli.__file__).parent


def test_every_module_of_a_command_can_be_called_and_every_command_has_a_module() -> None:
    modules = {path.stem.removesuffix("_command").replace("_", "-") for path in ROOM.glob("*_command.py")}
    assert modules == {*COMMANDS, *HIDDEN}


def test_the_documentation_has_a_section_for_every_command() -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"\n## `vaportrail {name}`\n" not in page] == []
