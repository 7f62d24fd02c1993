"""Ray prints marker lines of its own between the user's; they are passed over, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.record.output_lines import lines_of
from vaportrail.record.spooled import spooled_records
from vaportrail.storage.store import open_store
from vaportrail.telemetry import conventions as c
from vaportrail.telemetry.output import OutputWatch

PROGRAM = """
import os, sys
from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.recorder import Recorder

capture = Capture(Recorder(RunSettings.from_json(sys.argv[1]), "worker", writer_id="w"))
os.write(1, b":task_name:run_attempt\\nof the user\\n:task_name:run_attempt\\n")
capture.drain()
assert capture.offsets()["stdout"] == os.fstat(1).st_size, "what was passed over is read again"
capture.close()
"""


IN_AN_ATTEMPT = """
import os, sys
from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.recorder import Recorder

capture = Capture(Recorder(RunSettings.from_json(sys.argv[1]), "worker", writer_id="w"))
os.write(1, b":task_name:run_attempt\\n")
assert capture.offsets()["stdout"] == os.fstat(1).st_size, "what is before the attempt would be its own"
set_attempt_scope(AttemptScope("t-1", "t", 1, "0" * 16, None, ""))
os.write(1, b":task_name:of the user\\n")
capture.drain()
set_attempt_scope(None)
os.write(1, b":task_name:run_attempt\\n")
capture.close()
"""


BETWEEN_ATTEMPTS = """
import os, sys
from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.recorder import Recorder

capture = Capture(Recorder(RunSettings.from_json(sys.argv[1]), "worker", writer_id="w"))
for number in (1, 2):
    print(":task_name:run_attempt\\n", end="")
    assert number == 1 or capture.sizes() == before, "Ray's line is not even written"
    print("between", number)
    capture.offsets()
    set_attempt_scope(AttemptScope("t-1", "t", number, "0" * 16, None, ""))
    print(":task_name:of the user\\n", end="")
    print("of attempt", number)
    assert capture.finish(AttemptScope("t-1", "t", number, "0" * 16, None, ""), threads_left=False) == {}
    set_attempt_scope(None)
    before = capture.sizes()
capture.close()
"""


def run(program: str, folder: Path) -> list[str]:
    """Return the lines on record that a program printed."""
    settings = RunSettings(RunIdentity("uid", "p", "p", 1), str(folder), str(folder), "runs/p/x")
    subprocess.run([sys.executable, "-c", program, settings.to_json()], check=True)
    records = spooled_records(open_store(str(folder)), "w.spool")
    return [line for record in records for line in lines_of(record)]


def test_markers_are_passed_over_and_never_read_again(tmp_path: Path) -> None:
    assert run(PROGRAM, tmp_path) == ["of the user"]


def test_a_line_of_an_attempt_is_the_users_whatever_it_looks_like(tmp_path: Path) -> None:
    assert run(IN_AN_ATTEMPT, tmp_path) == [":task_name:of the user"]


def test_what_ray_prints_between_two_attempts_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    attempts = [["between " + number, ":task_name:of the user", "of attempt " + number] for number in "12"]

    assert run(BETWEEN_ATTEMPTS, tmp_path) == attempts[0] + attempts[1]


def test_what_nobody_recorded_is_the_users_only_while_an_attempt_ran() -> None:
    idle, busy = OutputWatch(), OutputWatch(attempt={c.TASK_RUN_ID: "t-1", c.ATTEMPT: 1})
    raw = b":task_name:x\n"

    assert list(idle.rest("w", "stdout", raw)) == []
    assert [found.text for found in busy.rest("w", "stdout", raw)] == [":task_name:x"]
    assert idle.read == busy.read == {"stdout": len(raw)}


A_BAR = """
import os, sys, time
from pathlib import Path
from vaportrail.contract.run_identity import RunSettings
from vaportrail.telemetry import output_files
from vaportrail.telemetry.capture import Capture
from vaportrail.telemetry.recorder import Recorder

output_files._FRAME_PERIODS = 1
watching = Capture(Recorder(RunSettings.from_json(sys.argv[1]), "worker", writer_id="w"))
os.write(1, b"\\r10%\\r20%\\r")
os.write(1, b'{"__magic_token__": "__ray_tqdm_magic_token__", "x": 1}\\n')
os.write(1, b"\\r30%\\r40%")
spool = Path(RunSettings.from_json(sys.argv[1]).spool) / "w.spool"
limit = time.monotonic() + 60
while b"30%" not in spool.read_bytes():
    assert time.monotonic() < limit, "the bar is not seen before its line ends"
    time.sleep(0.02)
os.write(1, b"\\r100%\\n")
watching.close()
"""


def test_a_progress_bar_is_recorded_while_it_goes_on_and_then_its_end(tmp_path: Path) -> None:
    assert run(A_BAR, tmp_path)[-2:] == ["30%", "100%"]
