"""Pipelines whose body calls `sys.exit`: the run ends as any other, and is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Cli
from vaportrail.contract.outcome import Outcome
from vaportrail.record.reading.read import open_run

PIPELINE = """
import sys
from vaportrail import pipeline, task

@task
def work() -> int:
    return 1

@pipeline
def leaves(code: str = "") -> None:
    work()
    sys.exit({"": None, "0": 0, "3": 3}.get(code, code))
"""


@pytest.mark.parametrize(
    ("code", "exit_code", "outcome", "message"),
    [
        ("0", 0, Outcome.SUCCEEDED, "1 of 1 tasks succeeded"),
        ("3", 1, Outcome.FAILED, "the pipeline's body raised SystemExit: 3"),
    ],
)
def test_a_body_that_calls_sys_exit_ends_the_run_and_its_record_is_sealed(
    cli: Cli, tmp_path: Path, code: str, exit_code: int, outcome: Outcome, message: str
) -> None:
    (tmp_path / "leaves.py").write_text(PIPELINE)

    finished = cli("run", "leaves.py:leaves", "-p", f"code={code}", "--json")

    assert finished.code == exit_code, finished.err
    run = open_run(finished.json["uri"])
    assert (run.outcome, run.facts.verdict.message) == (outcome, message)
    assert run.task("work-1").outcome is Outcome.SUCCEEDED
