"""The page on troubleshooting has a row for each cause that a run may wait for, as the operator has it."""

from __future__ import annotations

import re
from pathlib import Path

from vaportrail_operator.planning.obstacles import OBSTACLES, Obstacle

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


def waits(row: Obstacle) -> str:
    if row.seconds is None:
        return "`provisioningSeconds`"
    return f"{row.seconds} s" if row.seconds else "ends at once"


def test_the_table_of_causes_is_the_operators() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(row.name, waits(row), row.fix) for row in OBSTACLES]
