"""What the page of the record's format tells to type reads a record without Vaportrail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "tests" / "record" / "golden" / "1.0" / "small"
PAGE = (ROOT / "docs" / "record-format.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, re.DOTALL)
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def block(text: str) -> str:
    """Return the only block of code that has a text in it."""
    [found] = (code for _, code in BLOCKS if text in code)
    return str(found)


def typed(code: str) -> str:
    done = subprocess.run(["bash", "-ec", code], cwd=RECORD, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_jq
def test_a_record_is_verified_with_sha256sum_and_jq() -> None:
    assert typed(block("sha256sum -c manifest.sha256")) == "manifest.json: OK\nall files OK\n"


@needs_jq
def test_tasks_metrics_and_output_are_read_with_jq() -> None:
    said = typed(block("resourceLogs[]"))

    assert 'make-1\tSUCCEEDED\t{"size":2}\n' in said
    assert "report-1 count 2\n" in said
    assert "\nmaking 2\n" in said


def test_spans_are_read_with_pythons_standard_library() -> None:
    code = block("# spans.py")
    done = subprocess.run([sys.executable, "-S", "-c", code, RECORD], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^ +\d+\.\d{3} s  RUN small$", done.stdout, re.MULTILINE)
