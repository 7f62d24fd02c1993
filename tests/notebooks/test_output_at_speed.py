"""What a cell prints or displays faster than it is read waits; what cannot be recorded is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MANY = 2500
"""More than the sockets between a kernel and its client hold."""
FAST = f"""\
# %%
import sys
for number in range({MANY}):
    sys.stdout.write(f"{{number:099d}}\\n")
    sys.stdout.flush()

# %%
for number in range({MANY}):
    display(number)

# %%
sys.stdout.write("no end of a line")
"""
ENDLESS = """\
# %%
while True:
    print("a line", flush=True)
    display("an output")
"""
ATTEMPT = """
import sys, time
from pathlib import Path
from vaportrail.contract.run_identity import RunIdentity, RunSettings
from vaportrail.errors import SpoolError
from vaportrail.notebooks import kernel
from vaportrail.notebooks.cell_output import CellOutput
from vaportrail.notebooks.kept_outputs import KeptOutputs
from vaportrail.notebooks.run_notebook import run_notebook
from vaportrail.telemetry.active_recorder import install
from vaportrail.telemetry.attempt_scope import AttemptScope, set_attempt_scope

here = str(Path.cwd())
settings = RunSettings(RunIdentity("0" * 32, "p", "p", 1), here, here, "record")
install(settings, "worker")
set_attempt_scope(AttemptScope("t-1", "t", 1, "1" * 16, None, here + "/scratch"), settings)

def run():
    run_notebook(Path("nb.py").absolute(), Path("nb.py").read_text(), dict())
"""
# As on a busy machine: nothing else makes a reader slow when it matters.
SLOWLY = """
message = KeptOutputs.message

def slowly(self, *given):
    time.sleep(0.0025)
    return message(self, *given)

KeptOutputs.message = slowly
run()
"""
FULL = """
def full(*given):
    raise SpoolError("the spool", "no space left")

CellOutput._log = full
try:
    run()
except SpoolError as error:
    print("ended by", error)
"""
UNWRITTEN = """
file = kernel._PrintedFile("/dev/full")
file.write("one")
file.write("two")
"""


def attempt(folder: Path, source: str, does: str) -> str:
    (folder / "nb.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT + does], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def spooled(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("*.spool"))


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an attempt whose cells were much faster than their reader."""
    folder = tmp_path_factory.mktemp("fast")
    attempt(folder, FAST, SLOWLY)
    return folder


def test_lines_that_are_flushed_one_by_one_are_all_recorded(fast: Path) -> None:
    recorded = spooled(fast)

    assert [number for number in range(MANY) if b"%099d" % number not in recorded] == []
    assert b"no end of a line" in recorded


def test_what_is_on_record_takes_no_space_twice(fast: Path) -> None:
    assert [path.stat().st_size for path in fast.glob("cells-*") if path.suffix in (".out", ".err")] == [0, 0]


def test_outputs_that_are_displayed_one_by_one_are_all_kept(fast: Path) -> None:
    kept: list[Any] = []
    for path in (fast / "record" / "artifacts").iterdir():
        if path.read_bytes().startswith(b"{"):
            kept += [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == "code"]

    shown = [output["data"]["text/plain"] for output in kept[1]["outputs"] if "data" in output]
    assert "".join("".join(each) + "\n" for each in shown) == "".join(f"{each}\n" for each in range(MANY))


def test_a_cell_whose_output_cannot_be_recorded_is_ended_by_that_and_its_output_stays(
    tmp_path: Path,
) -> None:
    assert "ended by" in attempt(tmp_path, ENDLESS, FULL)

    (left,) = tmp_path.glob("cells-*.out")
    assert left.read_bytes().startswith(b"a line\n")


def test_what_a_kernel_cannot_write_of_it_is_counted_once(tmp_path: Path) -> None:
    attempt(tmp_path, FAST, UNWRITTEN)

    assert spooled(tmp_path).count(b"what could not be written") == 1
