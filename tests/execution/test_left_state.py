"""What goes on between two attempts in one process stays as it was left, where somebody is known to go on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# A process of its own: it turns its own output.
WORKER = """
import json, os, sys, threading
from pathlib import Path
from ray import cloudpickle
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution import attempt

root, leaves = Path(sys.argv[1]), sys.argv[2] == "a thread"
attempt._node_id = lambda: "node"
identity = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "p", "first", 5)
settings = RunSettings(identity, str(root / "spool"), str(root), "runs/p/x")
begin, done, end = threading.Event(), threading.Event(), threading.Event()

def goes_on():
    begin.wait()
    sys.setrecursionlimit(2222)
    done.set()
    end.wait()

def first():
    if leaves:
        threading.Thread(target=goes_on, daemon=True).start()

def nothing():
    pass

def run(function, task_id):
    attempt.load_function = lambda raw: function
    spec = attempt.AttemptSpec(task_id, "t", 1, "a" * 16, b"")
    report, _ = attempt.run_attempt(settings.to_json(), spec, cloudpickle.dumps(((), {})))
    assert report.outcome.ok, report

run(nothing, "t-1")
run(first, "t-2")
if leaves:
    begin.set()
    done.wait()
else:
    sys.setrecursionlimit(2222)
run(nothing, "t-3")
(root / "limit.json").write_text(json.dumps(sys.getrecursionlimit()))
os._exit(0)
"""


@pytest.mark.parametrize(("who", "limit"), [("a thread", 2222), ("nobody", 1000)])
def test_what_a_left_thread_changes_between_two_attempts_stays(tmp_path: Path, who: str, limit: int) -> None:
    command = [sys.executable, "-c", WORKER, str(tmp_path), who]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "limit.json").read_text()) == limit
