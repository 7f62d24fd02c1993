"""A task that prints more than can be recorded at once hears its limits; nothing is lost or misplaced."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vaportrail.record.output_lines import lines_of
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.output import OutputWatch

# A process of its own: it turns its own output, and is killed. Its disk takes a tenth of a second a block.
WORKER = """
import json, os, sys, time
from pathlib import Path
from ray import cloudpickle
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.execution import attempt
from vaportrail.execution.attempt_cancellation import cancel_marker
from vaportrail.telemetry import capture, output_files

root, kind = Path(sys.argv[1]), sys.argv[2]
blocks = output_files.split_blocks

def on_a_slow_disk(*args, **options):
    for block in blocks(*args, **options):
        time.sleep(0.1)
        yield block

output_files.split_blocks = on_a_slow_disk
output_files._PIECE, capture._PATIENCE = 1 << 16, {"timeout": 600, "cancel": 600}.get(kind, 0.3)
attempt._node_id = lambda: "node"
identity = RunIdentity("7d2ab5c0-0000-4000-8000-000000000001", "p", "first", 5)
settings = RunSettings(identity, str(root / "spool"), str(root), "runs/p/x")

def much():
    for number in range(60_000):
        print("%030d" % number)
    if kind == "cancel":
        Path(cancel_marker(settings.spool, "much-1", 1)).touch()

def little():
    print("of the next")

def run(function, task_id, timeout=None):
    attempt.load_function = lambda raw: function
    spec = attempt.AttemptSpec(task_id, task_id[:-2], 1, "a" * 16, b"", timeout=timeout)
    begin = time.monotonic()
    report, _ = attempt.run_attempt(settings.to_json(), spec, cloudpickle.dumps(((), {})))
    told.append([report.outcome.value, time.monotonic() - begin])

told = []
run(much, "much-1", 1 if kind == "timeout" else None)
if kind == "next":
    run(little, "little-1")
(root / "told.json").write_text(json.dumps(told))
os._exit(0)
"""
LINES = [f"{number:030d}" for number in range(60_000)]


def worker(root: Path, kind: str) -> list[Any]:
    """Run attempts in a worker that ends at once afterwards; return how each ended, and its seconds."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(root), kind], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads((root / "told.json").read_text()))


def lines_by_task(root: Path) -> tuple[list[tuple[str, str]], int]:
    """Return the lines of stdout with their tasks, and how many of them whoever comes after had to read."""
    store = open_store(str(root / "spool"))
    (spool,) = (path for path, _ in store.entries("") if path.endswith(".spool"))
    watch, found = OutputWatch(), []
    for record in spooled_records(store, spool):
        watch.see(record.kind, record.body, record.attributes)
        if record.scope == "stdout":
            found += [(line, record.attributes.get(c.TASK_RUN_ID, "")) for line in lines_of(record)]
    recorded = len(found)
    raw = store.get(spool.replace(".spool", ".out"))[watch.read.get("stdout", 0) :]
    for each in watch.rest("w", "stdout", raw):
        found += [(line, each.values.get(c.TASK_RUN_ID, "")) for line in each.text.split("\n")]
    return found, len(found) - recorded


@pytest.mark.parametrize(("kind", "outcome"), [("timeout", "TIMED_OUT"), ("cancel", "CANCELLED")])
def test_it_hears_its_limits_while_its_output_is_recorded(tmp_path: Path, kind: str, outcome: str) -> None:
    ((told, _),) = worker(tmp_path, kind)

    assert told == outcome


def test_what_there_is_no_time_for_is_left_and_is_the_attempts_own(tmp_path: Path) -> None:
    ((told, seconds),) = worker(tmp_path, "left")
    found, left = lines_by_task(tmp_path)

    assert told == "SUCCEEDED"
    assert left > 10_000, f"after {seconds} s"
    assert found == [(line, "much-1") for line in LINES]


def test_the_next_attempt_begins_when_all_of_the_one_before_is_recorded(tmp_path: Path) -> None:
    worker(tmp_path, "next")
    found, _ = lines_by_task(tmp_path)

    assert found == [*((line, "much-1") for line in LINES), ("of the next", "little-1")]
