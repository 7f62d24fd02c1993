"""Faults are planted in a copy of the operator, one at a time: the explorer or a named test finds each."""

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
        found_by: a scenario of the explorer, or a test's id.
    """

    module: str
    old: str
    new: str
    found_by: tuple[str, ...]


_APPLY = "acting/apply.py"
FAULTS = {
    "precondition skipped": Fault(
        _APPLY,
        "uid=action.uid,",
        'uid="",',
        ("tests/runtime/test_apply.py::test_a_deletion_means_the_object_of_that_uid_and_no_other",),
    ),
    "act before status": Fault(
        _APPLY,
        "if self._kept.differ(run.status, plan.status):",
        "if not plan.actions and self._kept.differ(run.status, plan.status):",
        ("success", "--fault", "killed after"),
    ),
    "one child missed in release": Fault(
        "planning/removal.py",
        "elif not pod.deleting:",
        'elif not pod.deleting and not pod.name.endswith("-collector"):',
        ("success",),
    ),
    "cache trusted for gone": Fault(
        "planning/phases/releasing.py",
        "return look is not None and not look.left",
        "return is_gone(observed)",
        ("label taken off",),
    ),
    "last requeue lost": Fault(
        "runtime/reconciler.py",
        "return 0.0 if changed else planned.plan.requeue_after",
        "return 0.0 if changed else None",
        ("tests/runtime/test_reconciler.py::test_a_run_is_looked_at_again_when_its_plan_says_so",),
    ),
    "stranger's pod counted": Fault(
        "planning/belonging.py",
        "return Standing.OURS if known else Standing.STRANGER",
        "return Standing.OURS",
        ("sealer's name taken",),
    ),
    "Secret forgotten": Fault(
        "planning/phases/releasing.py",
        "        yield Delete(Kind.SECRET, tokens_name(observed.run))\n",
        "        yield from ()\n",
        ("success",),
    ),
    "409 taken as done": Fault(
        _APPLY,
        "            self._check_ours(run, action, made)\n",
        "",
        ("runner's name taken",),
    ),
    "wall clock for monotonic": Fault(
        "acting/server_clock.py",
        "return time + timedelta(seconds=self._monotonic() - then)",
        "return self._local()",
        ("clock ahead",),
    ),
    "message unbounded": Fault(
        "planning/ends.py",
        "shortened(found.message, MESSAGE_LENGTH)",
        "found.message",
        ("tests/planning/test_status_bytes.py",),
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
        _search(fault.found_by),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]


def _search(found_by: tuple[str, ...]) -> list[str]:
    if found_by[0].startswith("tests/"):
        return [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            *found_by,
        ]
    drawn = ("--at-once", "1", "--lives", "40", "--seed", "0", "--doubles", "0")
    return [sys.executable, "scripts/explore.py", "--scenario", *found_by, *drawn]
