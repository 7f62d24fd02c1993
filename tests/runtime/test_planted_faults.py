"""Faults are planted in a copy of the operator, one at a time; each is found by the test that is for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_SOURCE = REPOSITORY / "operator" / "src" / "vaportrail_operator"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        module: where it is planted.
        old: what stands there, once.
        new: what is planted.
        found_by: a test's id.
    """

    module: str
    old: str
    new: str
    found_by: str


FAULTS = {
    "precondition skipped": Fault(
        "acting/apply.py",
        "uid=action.uid,",
        'uid="",',
        "tests/runtime/test_apply.py::test_a_deletion_means_the_object_of_that_uid_and_no_other",
    ),
    "last requeue lost": Fault(
        "runtime/reconciler.py",
        "return 0.0 if changed else planned.again",
        "return 0.0 if changed else None",
        "tests/runtime/test_reconciler.py::test_a_run_is_looked_at_again_when_its_plan_says_so",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    shutil.copytree(_SOURCE, tmp_path / "vaportrail_operator", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "vaportrail_operator" / fault.module
    text = module.read_text()
    assert text.count(fault.old) == 1, "it has to be planted elsewhere"
    module.write_text(text.replace(fault.old, fault.new))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", fault.found_by],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
