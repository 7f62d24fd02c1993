"""Ray prints marker lines of its own between the user's; they are passed over, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vaportrail.contract import RunIdentity, RunSettings
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store

PROGRAM = """
import os, sys
from vaportrail.contract import RunSettings
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.recorder import Recorder

capture = Capture(Recorder(RunSettings.from_json(sys.argv[1]), "worker", writer_id="w"))
os.write(1, b":task_name:run_attempt\\nof the user\\n:task_name:run_attempt\\n")
capture.drain()
assert capture.offsets()["stdout"] == os.fstat(1).st_size, "what was passed over is read again"
capture.close()
"""


def test_markers_are_passed_over_and_never_read_again(tmp_path: Path) -> None:
    identity = RunIdentity("uid", "p", "p", 1)
    settings = RunSettings(identity, str(tmp_path), str(tmp_path), "runs/p/x")

    subprocess.run([sys.executable, "-c", PROGRAM, settings.to_json()], check=True)

    records = list(spooled_records(open_store(str(tmp_path)), "w.spool"))
    assert [record.body["body"] for record in records] == [{"stringValue": "of the user"}]
