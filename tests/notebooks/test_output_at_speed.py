"""What a cell prints faster than it is read waits: nothing of it is left out."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRITES = 2500
"""More than the sockets between a kernel and its client hold."""
PRINTS_FAST = f"""\
# %%
import sys
for number in range({WRITES}):
    sys.stdout.write(f"{{number:099d}}\\n")
    sys.stdout.flush()
"""
# As on a busy machine: nothing else makes a reader slow when it matters.
SLOW_ATTEMPT = """
import sys, time
from pathlib import Path
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.notebooks import notebook_client
from vaportrail.notebooks.run_notebook import run_notebook
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope
from vaportrail.telemetry.active_recorder import install

log_block = notebook_client._log_block

def slowly(*given):
    time.sleep(0.0025)
    log_block(*given)

notebook_client._log_block = slowly
here = str(Path.cwd())
settings = RunSettings(RunIdentity("0" * 32, "p", "p", 1), here, here, "record")
install(settings, "worker")
set_attempt_scope(AttemptScope("t-1", "t", 1, "1" * 16, None, here + "/scratch"), settings)
run_notebook(Path("nb.py").absolute(), Path("nb.py").read_text(), dict())
"""


@pytest.fixture(scope="module")
def spooled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What was recorded of a cell that prints much faster than it is read."""
    folder = tmp_path_factory.mktemp("fast")
    (folder / "nb.py").write_text(PRINTS_FAST)
    done = subprocess.run(
        [sys.executable, "-c", SLOW_ATTEMPT], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return b"".join(path.read_bytes() for path in folder.glob("worker-*.spool"))


def test_lines_that_are_flushed_one_by_one_are_all_recorded(spooled: bytes) -> None:
    missing = [number for number in range(WRITES) if b"%099d" % number not in spooled]

    assert missing == []
