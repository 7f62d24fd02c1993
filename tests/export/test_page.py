"""A run's page is made without a terminal: for tests, and for whatever else shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vaportrail.cli.main import main
from vaportrail.contract.outcome import Outcome
from vaportrail.export.page import page_lines
from vaportrail.record.reading.read import open_run

RECORD = Path(__file__).parents[1] / "record" / "golden" / "1.0" / "failures"


def test_it_is_plain_text_unless_the_caller_marks_outcomes() -> None:
    run = open_run(str(RECORD))
    plain = list(page_lines(run))
    marked = list(page_lines(run, lambda outcome, text: f"<{outcome.value}>{text}</>"))

    assert all(line.isprintable() for line in plain)
    assert plain[0].startswith("FAILED  ")
    assert marked[0].startswith("<FAILED>FAILED</>  ")
    assert {f"<{task.outcome.value}>" for task in run.tasks} <= {
        f"<{outcome.value}>" for outcome in Outcome if any(f"<{outcome.value}>" in line for line in marked)
    }


def test_the_command_prints_its_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["show", str(RECORD)])

    assert capsys.readouterr().out.splitlines() == list(page_lines(open_run(str(RECORD))))


def test_who_makes_it_imports_no_command_line() -> None:
    code = """
import sys
from vaportrail.export.page import page_lines
from vaportrail.record.reading.read import open_run
assert list(page_lines(open_run(sys.argv[1])))
print([name for name in sys.modules if name == "click" or name.startswith("vaportrail.cli")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(RECORD)], capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")
