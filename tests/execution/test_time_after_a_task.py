"""A task's time limit when its code has returned: what of it is still asked then may hang as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ATTEMPT = """
import pickle, sys, time, types
from pathlib import Path
from ray import cloudpickle
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution import attempt, deadline

deadline._KEEPING_SECONDS = 0.2
attempt._node_id = lambda: "node"
root, kind = Path(sys.argv[1]), sys.argv[2]

class Value:
    def __reduce__(self):
        time.sleep(60)

class Wordless(Exception):
    def __str__(self):
        time.sleep(60)

class Unsent(Exception):
    def __reduce__(self):
        time.sleep(60)

class Pool:
    def shutdown(self, **options):
        time.sleep(60)

def value():
    return Value()

def words():
    raise Wordless

def exception():
    raise Unsent

def pool():
    sys.modules["loky.reusable_executor"] = types.SimpleNamespace(_executor=Pool())

function, arguments = globals()[kind], cloudpickle.dumps(((), {}))
attempt.load_function = lambda raw: function
identity = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "mnist", "first", 5)
settings = RunSettings(identity, str(root / "spool"), str(root), "runs/mnist/x")
spec = attempt.AttemptSpec("t-1", "t", 1, "a" * 16, b"", timeout=1.0)
report, _ = attempt.run_attempt(settings.to_json(), spec, arguments)
(root / "outcome").write_text(report.outcome.value)
"""

ENDED_BY_ITS_WATCHDOG = (1, -signal.SIGSEGV)
"""The watchdog reads the stacks of threads that run: now and then CPython's `faulthandler` breaks off in one.

By then the file says that it was the limit.
"""


def run(root: Path, kind: str) -> int:
    environ = os.environ | {"TMPDIR": str(root)}
    command = [sys.executable, "-c", ATTEMPT, str(root), kind]
    return subprocess.run(command, env=environ, timeout=45, check=False).returncode


def test_a_value_that_takes_for_ever_to_send_is_timed_out(tmp_path: Path) -> None:
    assert run(tmp_path, "value") == 0
    assert (tmp_path / "outcome").read_text() == "TIMED_OUT"


@pytest.mark.parametrize("kind", ["words", "exception", "pool"])
def test_what_hangs_after_a_tasks_code_ends_its_process_with_its_stacks(kind: str, tmp_path: Path) -> None:
    assert run(tmp_path, kind) in ENDED_BY_ITS_WATCHDOG
    assert not (tmp_path / "outcome").exists()
    assert (tmp_path / "spool" / "t-1.1.stack").read_text().startswith("Timeout")
